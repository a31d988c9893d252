// SPDX-License-Identifier: Apache-2.0

package services

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/guard"
)

// Capability is one of capabilities(7).
type Capability uintptr

// NetBindService lets a service listen on ports below 1024.
const NetBindService Capability = unix.CAP_NET_BIND_SERVICE

// withRights calls start so that the new process can never have more than the command's capabilities, and never gains
// any from a file (no_new_privs). Both are attributes of a thread that a new process inherits, and Go has no place
// between fork and exec to set them; so start runs on a thread of its own, which ends afterwards and takes its loss of
// rights with it. Spec: prctl(2), capabilities(7), runtime.LockOSThread.
func withRights(c Command, start func() error) error {
	if c.Privileged {
		return start()
	}
	result := make(chan error, 1)
	go onOwnThread(result, func() error {
		if err := dropRights(c.Capabilities); err != nil {
			return err
		}
		return start()
	})
	return <-result
}

// onOwnThread runs f on a thread that ends with it. The first thread of the program cannot end and is what /proc/1
// shows; it is held back while another one takes the work.
func onOwnThread(result chan<- error, f func() error) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		result <- guard.Run(f)
		return // without UnlockOSThread: the thread ends
	}
	inner := make(chan error, 1)
	go onOwnThread(inner, f)
	err := <-inner
	runtime.UnlockOSThread()
	result <- err
}

func dropRights(keep []Capability) error {
	for one := Capability(0); ; one++ {
		if slices.Contains(keep, one) {
			continue
		}
		held, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(one), 0, 0, 0)
		if errors.Is(err, unix.EINVAL) { // one more than the last that the kernel knows
			break
		}
		if err == nil && held != 0 { // to drop what is gone already needs a right as well
			err = unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(one), 0, 0, 0)
		}
		if err != nil {
			return fmt.Errorf("drop capability %d: %w", one, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	return nil
}
