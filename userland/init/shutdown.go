// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/mounts"
	"dodeka/userland/internal/power"
)

const (
	termWait = 10 * time.Second
	killWait = 2 * time.Second
	pollStep = 50 * time.Millisecond
)

// shutdown ends all processes, writes everything and ends the run.
func (s *system) shutdown(action power.Action) {
	s.announce("shutdown")
	stopProcesses()
	unmountAll()
	unix.Sync()
	s.out.Drain()
	power.Do(action)
	s.out.Line("dodeka: failed phase=shutdown reason=the kernel refused to " + action.String())
}

// stopProcesses asks first. Signals to -1 reach every process but PID 1 itself.
func stopProcesses() {
	_ = unix.Kill(-1, unix.SIGTERM)
	if waitProcesses(termWait) {
		return
	}
	_ = unix.Kill(-1, unix.SIGKILL)
	waitProcesses(killWait)
}

// waitProcesses returns true when PID 1 has no child left: orphans become its children.
func waitProcesses(limit time.Duration) bool {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(pollStep) {
		reap()
		if _, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err == unix.ECHILD {
			return true
		}
	}
	return false
}

// kernelOwned are mounts without data to lose, which the last steps still need.
var kernelOwned = []string{"/", "/proc", "/sys", "/dev", "/run"}

// unmountAll unmounts what holds data, the newest first. What is still in use is made read-only.
func unmountAll() {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return
	}
	entries := mounts.Parse(string(text))
	slices.Reverse(entries)
	for _, e := range entries {
		if slices.Contains(kernelOwned, e.Target) || strings.HasPrefix(e.Target, "/sys/") {
			continue
		}
		if unix.Unmount(e.Target, 0) != nil {
			_ = unix.Mount("", e.Target, "", unix.MS_REMOUNT|unix.MS_RDONLY, "")
		}
	}
}
