// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"unsafe"
)

const finitModule = 313

// insert gives the kernel a file as a module and returns what the kernel said.
func insert(path string) (syscall.Errno, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	var options [1]byte // an empty C string
	_, _, errno := syscall.Syscall(finitModule, file.Fd(), uintptr(unsafe.Pointer(&options)), 0)
	return errno, nil
}

// foreignModule offers a module that somebody else signed, and the same without a signature.
func foreignModule() error {
	for _, path := range []string{"/modules/foreign.ko", "/modules/unsigned.ko"} {
		errno, err := insert(path)
		if err != nil {
			return err
		}
		if errno != syscall.EKEYREJECTED && errno != syscall.EPERM && errno != syscall.ENOKEY {
			return fmt.Errorf("%s: %v", path, errno)
		}
		fmt.Printf("kernel said to %s: %v\n", path, errno)
	}
	loaded, err := os.ReadFile("/proc/modules")
	if err == nil && len(loaded) != 0 {
		err = fmt.Errorf("loaded: %s", loaded)
	}
	return err
}

// pinnedRoot offers the same module from another file system than the first one: LoadPin must stop it before its
// signature is looked at.
func pinnedRoot() error {
	if err := copyFile("/modules/foreign.ko", "/tmp/foreign.ko"); err != nil {
		return err
	}
	errno, err := insert("/tmp/foreign.ko")
	if err != nil {
		return err
	}
	if errno != syscall.EPERM {
		return fmt.Errorf("the kernel said %v", errno)
	}
	log, err := kernelLog()
	if err == nil && !strings.Contains(log, `LoadPin: kernel-module denied obj="/tmp/foreign.ko"`) {
		err = fmt.Errorf("no word of LoadPin")
	}
	return err
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}

func kernelLog() (string, error) {
	const readAll = 3 // SYSLOG_ACTION_READ_ALL
	buffer := make([]byte, 1<<20)
	n, err := syscall.Klogctl(readAll, buffer)
	if err != nil {
		return "", err
	}
	return string(buffer[:n]), nil
}
