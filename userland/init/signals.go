// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/sequence"
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
	signal.Notify(signals, signalPowerOff, signalReboot)
	signal.Ignore(unix.SIGHUP, unix.SIGTERM, unix.SIGPIPE, unix.SIGUSR1)
	s.guard("reaper", func() { s.reaper.Run(context.Background()) })
	s.guard("signals", func() {
		for received := range signals {
			switch received {
			case signalPowerOff:
				s.ask(sequence.Shutdown)
			case signalReboot:
				s.ask(sequence.Reboot)
			}
		}
	})
}
