// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"golang.org/x/sys/unix"

	"dodeka/userland/internal/failure"
	"dodeka/userland/internal/mounts"
	"dodeka/userland/internal/phase"
	"dodeka/userland/internal/power"
	"dodeka/userland/internal/reset"
	"dodeka/userland/internal/sequence"
)

const (
	answerWait   = 500 * time.Millisecond
	servicesWait = 60 * time.Second
	termWait     = 10 * time.Second
	killWait     = 2 * time.Second
)

// ending is the end of a run. Its phases report what goes wrong and go on: the machine ends in any case.
type ending struct {
	*system
	request sequence.Request
}

var endStages = map[sequence.Kind]runtime.MachineStage{
	sequence.Reboot:   runtime.MachineStageRebooting,
	sequence.Shutdown: runtime.MachineStageShuttingDown,
	sequence.Reset:    runtime.MachineStageResetting,
}

// action is what the kernel is asked for in the end.
func (e *ending) action() power.Action {
	if e.request.Kind == sequence.Shutdown || (e.request.Kind == sequence.Reset && !e.request.Reset.GetReboot()) {
		return power.Off
	}
	return power.Reboot
}

// finish carries out a request. The answer to a client that asked reaches it first.
func (s *system) finish(request sequence.Request) {
	if request.Actor != "" {
		time.Sleep(answerWait)
	}
	s.out.Line(failure.NextLine((&ending{s, request}).action(), 0))
	s.end(request)
}

// end ends all services and processes, writes everything, wipes where that was asked for, and ends the run.
func (s *system) end(request sequence.Request) {
	s.endTrial()
	e := &ending{s, request}
	if s.status != nil {
		s.report("status", s.status.SetStage(endStages[request.Kind]))
	}
	phases := []phase.Phase[ending]{{Name: "stop-services", Run: stopServices}, {Name: "shutdown", Run: stopAll}}
	if request.Kind == sequence.Reset {
		phases = append(phases, phase.Phase[ending]{Name: "reset", Run: wipe})
	}
	if failed := sequence.Run(s.recorder, request.Kind.String(), request.Actor, phases, e); failed != nil {
		s.out.Line(phase.FailedLine(failed))
	}
	unix.Sync()
	s.out.Drain()
	power.Do(e.action())
	s.out.Line("dodeka: failed phase=shutdown reason=the kernel refused to " + e.action().String())
}

// stopServices gives services the time that they need, unless a forced request comes.
func stopServices(e *ending) error {
	if e.services == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(e.desk.Patience(), servicesWait)
	defer cancel()
	e.report("services", e.services.StopAll(ctx))
	return nil
}

// stopAll ends every process and unmounts what holds data.
func stopAll(e *ending) error {
	e.stopProcesses()
	unmountAll()
	unix.Sync()
	return nil
}

// stopProcesses asks first. Signals to -1 reach every process but PID 1 itself.
func (s *system) stopProcesses() {
	_ = unix.Kill(-1, unix.SIGTERM)
	if s.reaper.Drain(termWait) {
		return
	}
	_ = unix.Kill(-1, unix.SIGKILL)
	s.reaper.Drain(killWait)
}

// wipe comes last, when nothing uses the disks any more.
func wipe(e *ending) error {
	err := reset.Run(context.Background(), e.wipeRequest(e.request.Reset))
	e.report("reset", err)
	return nil
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
