// SPDX-License-Identifier: Apache-2.0

package devicemapper

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call sends one message and returns the kernel's answer.
func call(control *os.File, command uint, name string, flags uint32, t *target) ([]byte, error) {
	message, err := encode(name, flags, t)
	if err != nil {
		return nil, err
	}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, control.Fd(), uintptr(command), uintptr(unsafe.Pointer(&message[0])))
	if errno != 0 {
		return nil, errno
	}
	return message, nil
}
