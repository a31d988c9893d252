// SPDX-License-Identifier: Apache-2.0

// mount and umount, as the kubelet calls them: one program, whose name decides. It takes the calls that
// k8s.io/mount-utils makes, and the few others that storage plugins are known to make, and refuses the rest.
// The kubelet looks for systemd-run as well; a system without one is what it expects then, and it calls mount directly.
// Spec: mount(8) and umount(8) for arguments and exit codes; mount(2), umount2(2).
// Left out: fstab, labels and UUIDs as sources, helper programs (/sbin/mount.*), loop devices, user mounts.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exit codes of mount(8).
const (
	exitUsage  = 1
	exitSystem = 2
	exitFailed = 32
)

// usageError is a command line that is wrong, or asks for what this program does not do.
type usageError string

func (e usageError) Error() string { return string(e) }

// kernel is what the programs ask of the kernel.
type kernel interface {
	Mount(source, target, kind string, flags uintptr, data string) error
	Unmount(target string, flags int) error
	ReadFile(path string) ([]byte, error)
	Statfs(path string) (flags uintptr, err error)
	Resolve(host string) (string, error)
}

func main() {
	os.Exit(run(os.Args, system{}, os.Stdout, os.Stderr))
}

// run returns the exit code.
func run(argv []string, k kernel, stdout, stderr io.Writer) int {
	program, serve := "mount", mountCommand
	if len(argv) > 0 && filepath.Base(argv[0]) == "umount" {
		program, serve = "umount", umountCommand
	}
	err := serve(argv[min(1, len(argv)):], k, stdout)
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "%s: %v\n", program, err)
	var usage usageError
	var number syscall.Errno
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &number) && number == unix.EPERM:
		return exitUsage // mount(8) counts permissions as such
	case errors.As(err, &number):
		return exitFailed
	default:
		return exitSystem
	}
}

// failure words an error of the kernel as mount(8) does.
type failure struct {
	target, what string
	number       error
}

func (f failure) Error() string {
	if f.what == "" {
		return fmt.Sprintf("%s: %v.", f.target, f.number)
	}
	return fmt.Sprintf("%s: %s: %v.", f.target, f.what, f.number)
}

func (f failure) Unwrap() error { return f.number }
