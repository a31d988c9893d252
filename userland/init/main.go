// SPDX-License-Identifier: Apache-2.0

// init is PID 1 of the running system. It boots in named phases, then serves signals, the power button and the
// kernel's requests for ever. Called as poweroff, reboot or shutdown it asks PID 1 for that and exits.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/power"
)

// requests maps the names of this file to the signals that PID 1 understands.
var requests = map[string]unix.Signal{
	"poweroff": signalPowerOff,
	"shutdown": signalPowerOff,
	"reboot":   signalReboot,
}

func main() {
	if os.Getpid() == 1 {
		runSystem()
		power.Forever()
	}
	if err := request(filepath.Base(os.Args[0])); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func request(name string) error {
	signal, ok := requests[name]
	if !ok {
		return fmt.Errorf("%s: runs as PID 1 only; call it as poweroff, reboot or shutdown", name)
	}
	if err := unix.Kill(1, signal); err != nil {
		return fmt.Errorf("%s: signal PID 1: %w", name, err)
	}
	return nil
}
