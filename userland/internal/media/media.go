// SPDX-License-Identifier: Apache-2.0

// Package media looks for a file on a disk, stick or CD, and mounts what carries it.
// Spec: Microsoft FAT specification 1.03 (boot sector), ECMA-119 section 8 (volume descriptors).
// A medium is hostile: its file system is mounted only when its magic is one of the two that boot media have, read
// only, without devices, set-uid files or programs.
package media

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

const (
	fatTypeOffset   = 82     // BS_FilSysType, 8 bytes
	signatureOffset = 510    // 0x55 0xaa
	isoMagicOffset  = 0x8001 // standard identifier of the first volume descriptor

	mountFlags = unix.MS_NODEV | unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NOATIME // media hold data only
)

// ErrOther is the verdict on a device without one of the two file systems.
var ErrOther = errors.New("neither FAT32 nor ISO 9660")

// Identify returns the kernel's name of the file system on a device: "vfat" or "iso9660".
func Identify(device io.ReaderAt) (string, error) {
	sector := make([]byte, 512)
	if _, err := device.ReadAt(sector, 0); err != nil {
		return "", fmt.Errorf("first sector: %w", err)
	}
	if string(sector[fatTypeOffset:fatTypeOffset+8]) == "FAT32   " && string(sector[signatureOffset:]) == "\x55\xaa" {
		return "vfat", nil
	}
	magic := make([]byte, 5)
	if _, err := device.ReadAt(magic, isoMagicOffset); err == nil && string(magic) == "CD001" {
		return "iso9660", nil
	}
	return "", ErrOther
}

// OpenOn mounts a device at target and opens the file with the given path below it, read-only. When the device is not
// the one, nothing stays mounted and the error says why.
func OpenOn(device, target, path string) (*os.File, error) {
	kind, err := identifyDevice(device)
	if err != nil {
		return nil, err
	}
	if err := unix.Mount(device, target, kind, unix.MS_RDONLY|mountFlags, ""); err != nil {
		return nil, fmt.Errorf("mount %s: %w", kind, err)
	}
	file, err := OpenBelow(target, path)
	if err != nil {
		if unmount := unix.Unmount(target, 0); unmount != nil {
			return nil, fmt.Errorf("unmount %s: %w", kind, unmount)
		}
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	return file, nil
}

// Writable runs something while the file system that is mounted at a folder can be written to. Everything is on the medium
// when it returns. That it cannot be made read-only again takes nothing back, and is only reported.
func Writable(target string, report func(error), run func() error) error {
	if err := unix.Mount("", target, "", unix.MS_REMOUNT|mountFlags, ""); err != nil {
		return fmt.Errorf("make %s writable: %w", target, err)
	}
	err := run()
	// Remounting writes what is not yet written.
	if again := unix.Mount("", target, "", unix.MS_REMOUNT|unix.MS_RDONLY|mountFlags, ""); again != nil {
		report(fmt.Errorf("make %s read-only: %w", target, again))
	}
	return err
}

// OpenBelow opens a regular file without leaving the directory, whatever links it holds. A file that is not there is
// fs.ErrNotExist.
func OpenBelow(dir, path string) (*os.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(path) // first: to open a pipe would be to wait for its writer, for ever
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("no %s: %w", path, fs.ErrNotExist)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	return root.Open(path)
}

func identifyDevice(device string) (string, error) {
	file, err := os.Open(device) // a drive without a medium says so here
	if err != nil {
		return "", err
	}
	defer file.Close()
	return Identify(file)
}
