// SPDX-License-Identifier: Apache-2.0

// Package power ends the machine's run: power off or reboot, after everything is written.
// Spec: reboot(2).
package power

import (
	"time"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/cmdline"
)

// Action is what the machine does next.
type Action int

// The two ends.
const (
	Off Action = iota
	Reboot
)

func (a Action) String() string {
	if a == Off {
		return "power off"
	}
	return "reboot"
}

// Do syncs and ends the run. It returns only when the kernel refuses both the action and a plain reboot.
func Do(a Action) {
	unix.Sync()
	if a == Off {
		_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	}
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
}

// After says what follows a failure, and when.
func After(r cmdline.Recovery) (Action, time.Duration) {
	if r.PowerOff {
		return Off, 0
	}
	return Reboot, r.Delay
}

// Forever stops the calling goroutine: PID 1 must not exit, whatever happened.
func Forever() {
	for {
		time.Sleep(time.Hour)
	}
}
