// SPDX-License-Identifier: Apache-2.0

// Package loop makes a read-only block device of a file.
// Spec: loop(4), Linux include/uapi/linux/loop.h, LOOP_CONFIGURE (Linux 5.8).
package loop

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const (
	sectorBytes = 4096 // equal to dm-verity's blocks, and what direct I/O on any disk can serve
	maxTries    = 16
)

// Attach returns the open device. It disappears by itself when the last user closes it, so keep it open until the next
// layer has opened it too. With direct the file's pages are not cached a second time; a file system that cannot do
// that (iso9660) is read through the cache, by the kernel's own choice.
func Attach(file *os.File, direct bool) (*os.File, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	config := configOf(int(file.Fd()), direct)
	for range maxTries {
		number, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("no free loop device: %w", err)
		}
		device, err := os.Open(fmt.Sprintf("/dev/loop%d", number))
		if err != nil {
			return nil, err
		}
		err = unix.IoctlLoopConfigure(int(device.Fd()), config)
		if err == nil {
			return device, nil
		}
		_ = device.Close()
		if !errors.Is(err, unix.EBUSY) { // EBUSY: someone else took this one meanwhile
			return nil, fmt.Errorf("configure %s: %w", device.Name(), err)
		}
	}
	return nil, errors.New("every free loop device was taken by someone else")
}

func configOf(fd int, direct bool) *unix.LoopConfig {
	config := &unix.LoopConfig{Fd: uint32(fd), Size: sectorBytes}
	config.Info.Flags = unix.LO_FLAGS_READ_ONLY | unix.LO_FLAGS_AUTOCLEAR
	if direct {
		config.Info.Flags |= unix.LO_FLAGS_DIRECT_IO
	}
	return config
}
