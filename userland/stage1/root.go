// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const newRoot = "/root"

// bootFiles is what the next stage runs and reads at once. Reading them whole here, through dm-verity, reports a
// damaged image by file name and while the other version can still be booted. The rest is verified on every read.
var bootFiles = []string{"/sbin/init", "/sbin/modprobe"}

// moduleIndexes may be absent: a kernel with everything built in has none.
var moduleIndexes = []string{"modules.dep", "modules.alias", "modules.softdep", "modules.builtin"}

func mountRoot(b *boot) error {
	if err := os.MkdirAll(newRoot, 0o755); err != nil {
		return err
	}
	const flags = unix.MS_RDONLY | unix.MS_NODEV | unix.MS_NOSUID
	if err := unix.Mount(b.device, newRoot, "squashfs", flags, ""); err != nil {
		return fmt.Errorf("mount squashfs from %s: %w", b.device, err)
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return err
	}
	release := unix.ByteSliceToString(uts.Release[:])
	for _, name := range bootFiles {
		if err := readWhole(name); err != nil {
			return err
		}
	}
	for _, name := range moduleIndexes {
		err := readWhole(filepath.Join(modulesRoot, release, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// readWhole takes the name that the file has once the root is in place.
func readWhole(name string) error {
	file, err := os.Open(filepath.Join(newRoot, name))
	if err == nil {
		_, err = io.Copy(io.Discard, file)
		_ = file.Close()
	}
	var inner *fs.PathError
	if errors.As(err, &inner) {
		return fmt.Errorf("%s %s: %w", inner.Op, name, inner.Err)
	}
	return err
}
