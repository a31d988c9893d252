// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/power"
)

// The signals that ask PID 1 for something. The kernel sends SIGINT for Ctrl-Alt-Del.
const (
	signalPowerOff = unix.SIGUSR2
	signalReboot   = unix.SIGINT
)

// handleSignals makes Ctrl-Alt-Del a request instead of a reset, and starts to reap.
func (s *system) handleSignals() {
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_CAD_OFF)
	signals := make(chan os.Signal, 32)
	signal.Notify(signals, unix.SIGCHLD, signalPowerOff, signalReboot)
	signal.Ignore(unix.SIGHUP, unix.SIGTERM, unix.SIGPIPE, unix.SIGUSR1)
	s.guard("signals", func() {
		for received := range signals {
			switch received {
			case unix.SIGCHLD:
				reap()
			case signalPowerOff:
				s.ask(power.Off)
			case signalReboot:
				s.ask(power.Reboot)
			}
		}
	})
}

// reap collects every process that ended: its own children, and orphans, which the kernel hands to PID 1. One SIGCHLD
// can stand for many.
func reap() (count int) {
	for {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return count
		}
		count++
	}
}
