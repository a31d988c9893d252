// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/boottime"
	"dodeka/userland/internal/cmdline"
	"dodeka/userland/internal/console"
	"dodeka/userland/internal/failure"
	"dodeka/userland/internal/kmod"
	"dodeka/userland/internal/network"
	"dodeka/userland/internal/phase"
	"dodeka/userland/internal/power"
	"dodeka/userland/internal/screen"
)

const (
	productName = "Dodeka"
	readyPhase  = "ready"
)

// system is what the phases hand on and what the goroutines share. Fields are set by the phase that owns them, before
// the goroutines that read them start.
type system struct {
	out     *console.Console
	board   *screen.Board
	text    string // of /proc/cmdline, raw
	cmdline cmdline.Cmdline
	drivers *kmod.Loader
	network *network.Manager
	files   *hostFiles
	end     chan power.Action   // the machine shall go down
	broken  chan *phase.Failure // a goroutine panicked
}

var phases = []phase.Phase[system]{
	{Name: "system-mounts", Run: mountSystem},
	{Name: "system-modules", Run: loadDrivers},
	{Name: "hostname", Run: setHostname},
	{Name: "console", Run: startConsole},
	{Name: "network", Run: startNetwork},
	{Name: readyPhase, Run: announceReady},
}

// runSystem returns only when the kernel refuses to power off and to reboot.
func runSystem() {
	unix.Umask(0o022)
	s := &system{
		out: &console.Console{}, board: screen.NewBoard(screen.Status{Name: productName}), files: newHostFiles("/run/dodeka"),
		end: make(chan power.Action, 1), broken: make(chan *phase.Failure, 1),
	}
	s.out.Open("/sys", "/dev")
	s.handleSignals()
	if failed := phase.Run(phases, s, s.announce); failed != nil {
		s.endFailed(failed)
		return
	}
	select {
	case action := <-s.end:
		s.out.Line(failure.NextLine(action, 0))
		s.shutdown(action)
	case failed := <-s.broken:
		s.endFailed(failed)
	}
}

func (s *system) announce(name string) {
	s.board.Change(func(status *screen.Status) { status.Phase = name })
	s.out.Line(phase.Line(name, boottime.Now()))
}

// endFailed shows the failure and waits as the command line says; the power button and signals work meanwhile.
func (s *system) endFailed(failed *phase.Failure) {
	s.board.Change(func(status *screen.Status) { status.Phase = failed.Phase + " failed" })
	action, delay := failure.Report(s.out, s.text, failed)
	select {
	case asked := <-s.end:
		action = asked
	case <-time.After(delay):
	}
	s.shutdown(action)
}

// guard starts a goroutine. PID 1 must outlive a defect in any of them: a panic is reported as a failed phase.
func (s *system) guard(name string, run func()) {
	go func() {
		defer func() {
			if r := recover(); r != nil {
				select {
				case s.broken <- &phase.Failure{Phase: name, Err: fmt.Errorf("BUG: panic: %v", r)}:
				default: // another one is being reported
				}
			}
		}()
		run()
	}()
}

// ask requests the end of the run. The first request wins.
func (s *system) ask(action power.Action) {
	select {
	case s.end <- action:
	default:
	}
}

func announceReady(s *system) error {
	c := s.cmdline
	s.out.Line(fmt.Sprintf("dodeka: ready version=%s arch=%s root=%s cmdline=%s", c.Version, architecture, c.RootHash, c.Digest()))
	if c.PowerOffWhenReady {
		s.ask(power.Off)
	}
	return nil
}

// readCmdline repeats what stage1 checked: this process trusts no other.
func (s *system) readCmdline() error {
	text, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	s.text = string(text)
	s.cmdline, err = cmdline.Parse(s.text)
	return err
}
