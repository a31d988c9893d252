// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/kmod"
	"dodeka/userland/internal/sysfs"
)

const modulesRoot = "/lib/modules"

// loadDrivers loads what boot always needs (dodeka.load) and what the hardware asks for. A kernel with everything
// built in has no modules directory: then there is nothing to do.
func loadDrivers(b *boot) error {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return err
	}
	dir := filepath.Join(modulesRoot, unix.ByteSliceToString(uts.Release[:]))
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		if entries, _ := os.ReadDir(modulesRoot); len(entries) == 0 {
			return nil
		}
	}
	drivers, err := kmod.Open(modulesRoot)
	if err != nil {
		return err
	}
	b.drivers = drivers
	always, err := os.ReadFile(filepath.Join(dir, "dodeka.load"))
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	b.loadHardwareDrivers()
	return drivers.LoadNames(kmod.Names(string(always)))
}

// loadHardwareDrivers may be called again when devices have appeared behind the ones that were served.
func (b *boot) loadHardwareDrivers() {
	if b.drivers == nil {
		return
	}
	for _, f := range b.drivers.LoadAliases(sysfs.Modaliases(os.DirFS("/sys"))) {
		b.out.Line("dodeka: module " + f.Module + " failed: " + f.Err.Error())
	}
}
