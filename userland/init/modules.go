// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/evdev"
	"dodeka/userland/internal/kmod"
	"dodeka/userland/internal/sequence"
	"dodeka/userland/internal/sysfs"
	"dodeka/userland/internal/uevent"
)

const modulesRoot = "/lib/modules"

// pinnedFile lies on the verity-protected root, which is where modules may come from.
const pinnedFile = "/etc/os-release"

// loadDrivers loads the drivers that the initramfs did not carry and from then on those of devices that appear. It
// listens first and looks second, so that no device falls between the two.
func loadDrivers(s *system) error {
	if err := kmod.Pin(pinnedFile); err != nil {
		return err
	}
	events, err := uevent.Listen()
	if err != nil {
		return err
	}
	if err := s.openDrivers(); err != nil {
		return err
	}
	// Twice: drivers of the first round bring devices of their own. One is the power button's input device, which nobody
	// can read before evdev is there; a button that is pressed as soon as the machine is ready must not be lost.
	for range 2 {
		if err := s.loadHardwareDrivers(); err != nil {
			return err
		}
	}
	mountEfiVariables()
	watched := &sync.Map{}
	s.watchButtons(watched)
	s.guard("hotplug", func() { s.followDevices(events, watched) })
	return nil
}

// openDrivers leaves drivers nil for a kernel that has no modules.
func (s *system) openDrivers() error {
	if entries, err := os.ReadDir(modulesRoot); errors.Is(err, fs.ErrNotExist) || (err == nil && len(entries) == 0) {
		return nil
	}
	drivers, err := kmod.Open(modulesRoot)
	if err != nil {
		return err
	}
	s.drivers = drivers
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return err
	}
	always, err := os.ReadFile(filepath.Join(modulesRoot, unix.ByteSliceToString(uts.Release[:]), "dodeka.load"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return drivers.LoadNames(kmod.Names(string(always)))
}

func (s *system) loadHardwareDrivers() error {
	return s.loadAliases(sysfs.Modaliases(os.DirFS("/sys")))
}

// loadAliases returns an error only for a damaged image; a driver that fails costs its device.
func (s *system) loadAliases(aliases []string) error {
	if s.drivers == nil {
		return nil
	}
	failures := s.drivers.LoadAliases(aliases)
	for _, f := range failures {
		s.out.Line("dodeka: module " + f.Module + " failed: " + f.Err.Error())
	}
	return kmod.Damaged(failures)
}

// followDevices loads drivers for what is plugged in and watches new buttons.
func (s *system) followDevices(events *uevent.Listener, watched *sync.Map) {
	for {
		event, err := events.Next(time.Time{})
		switch {
		case err != nil:
			s.out.Line("dodeka: hotplug: " + err.Error())
			time.Sleep(time.Second)
		case event.Action == "": // events were lost
			s.report("hotplug", s.loadHardwareDrivers())
			s.watchButtons(watched)
		case event.Action != "add":
		case event.Values["MODALIAS"] != "":
			s.report("hotplug", s.loadAliases([]string{event.Values["MODALIAS"]}))
		case event.Values["SUBSYSTEM"] == "input" && strings.HasPrefix(event.Values["DEVNAME"], "input/event"):
			s.watchButtons(watched)
		}
	}
}

// watchButtons watches every input device with a power key, each once. An unplugged one may come back by its name, so
// it is forgotten when its reader ends.
func (s *system) watchButtons(watched *sync.Map) {
	sys := os.DirFS("/sys")
	names, _ := fs.Glob(sys, "class/input/event*")
	for _, path := range names {
		name := filepath.Base(path)
		if !evdev.HasPower(sysfs.ReadText(sys, path+"/device/capabilities/key")) {
			continue
		}
		if _, already := watched.LoadOrStore(name, nil); already {
			continue
		}
		device, err := os.Open("/dev/input/" + name)
		if err != nil {
			watched.Delete(name)
			continue
		}
		s.guard("power-button", func() {
			defer watched.Delete(name)
			defer device.Close()
			_ = evdev.WatchPower(device, func() { s.ask(sequence.Shutdown) })
		})
	}
}
