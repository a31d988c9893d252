// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/boottime"
	"dodeka/userland/internal/cmdline"
	"dodeka/userland/internal/console"
	"dodeka/userland/internal/etcd"
	"dodeka/userland/internal/events"
	"dodeka/userland/internal/failure"
	"dodeka/userland/internal/guard"
	"dodeka/userland/internal/kmod"
	"dodeka/userland/internal/logs"
	"dodeka/userland/internal/maintenance"
	"dodeka/userland/internal/network"
	"dodeka/userland/internal/osstate"
	"dodeka/userland/internal/phase"
	"dodeka/userland/internal/power"
	"dodeka/userland/internal/reaper"
	"dodeka/userland/internal/screen"
	"dodeka/userland/internal/sequence"
	"dodeka/userland/internal/services"
	"dodeka/userland/internal/settings"
)

const (
	productName = "Dodeka"
	readyPhase  = "ready"
	eventsKept  = 1024
	logBytes    = 256 << 10 // of each service
)

// system is what the phases hand on and what the goroutines share. Fields are set by the phase that owns them, before
// the goroutines that read them start.
type system struct {
	out      *console.Console
	board    *screen.Board
	text     string // of /proc/cmdline, raw
	cmdline  cmdline.Cmdline
	drivers  *kmod.Loader
	reaper   *reaper.Reaper
	events   *events.Stream
	recorder *sequence.Recorder
	desk     *sequence.Desk
	logs     *logs.Manager
	broken   chan *phase.Failure // a goroutine panicked

	os       *osstate.OS
	status   *sequence.Status
	settings *settings.Manager
	// described says that the platform's metadata was read, with or without a configuration in it.
	described atomic.Bool
	gate      atomic.Pointer[maintenance.Gate] // nil on a machine that has a configuration
	services  *services.Supervisor
	network   *network.Manager
	storage   storage
	versions  *versions
	trial     *trial                       // nil: this boot is none
	etcd      atomic.Pointer[etcd.Service] // nil until there is a place for its data, and on workers
	// configured says that boot made the machine what its configuration asks for; set before followConfiguration starts.
	configured bool
}

// initializePhases are those of every machine.
var initializePhases = []phase.Phase[system]{
	{Name: "system-mounts", Run: mountSystem},
	{Name: "system-modules", Run: loadDrivers},
	{Name: "hostname", Run: setHostname},
	{Name: "console", Run: startConsole},
	{Name: "api", Run: startAPI},
	{Name: "meta", Run: openMeta},
	{Name: "state", Run: mountState},
	{Name: "config", Run: readConfiguration},
	{Name: "network", Run: startNetwork},
	{Name: "platform", Run: askPlatform},
	{Name: "services", Run: startServices},
}

// readyPhases end every boot.
var readyPhases = []phase.Phase[system]{{Name: readyPhase, Run: announceReady}}

func newSystem() *system {
	s := &system{
		out: &console.Console{}, board: screen.NewBoard(screen.Status{Name: productName}), reaper: reaper.New(),
		events: events.NewStream(eventsKept), logs: logs.NewManager(logBytes), broken: make(chan *phase.Failure, 1),
	}
	s.recorder = &sequence.Recorder{Events: s.events, Line: s.out.Line, Since: boottime.Now, Begun: s.showPhase}
	s.desk = sequence.NewDesk(s.checkReset)
	return s
}

// runSystem returns only when the kernel refuses to power off and to reboot.
func runSystem() {
	unix.Umask(0o022)
	s := newSystem()
	s.out.Open("/sys", "/dev")
	s.handleSignals()
	failed := sequence.Run(s.recorder, "initialize", "", initializePhases, s)
	if failed == nil {
		failed = sequence.Run(s.recorder, "boot", "", s.bootPhases(), s)
	}
	if failed != nil {
		s.endFailed(failed)
		return
	}
	if !s.cmdline.PowerOffWhenReady {
		s.guard("configure", s.followConfiguration)
		if s.trial != nil {
			s.trial.running.Add(1)
			s.guard("upgrade", s.followTrial)
		}
	}
	select {
	case request := <-s.desk.Requests():
		s.finish(request)
	case failed := <-s.broken:
		s.endFailed(failed)
	}
}

func (s *system) showPhase(name string) {
	s.board.Change(func(status *screen.Status) { status.Phase = name })
}

// endFailed shows the failure and waits as the command line says; requests are heard meanwhile.
func (s *system) endFailed(failed *phase.Failure) {
	s.endTrial()
	s.showPhase(failed.Phase + " failed")
	action, delay := failure.Report(s.out, s.text, failed)
	request := sequence.Request{Kind: sequence.Reboot}
	if action == power.Off {
		request.Kind = sequence.Shutdown
	}
	select {
	case request = <-s.desk.Requests():
	case <-time.After(delay):
	}
	s.end(request)
}

// guard starts a goroutine. PID 1 must outlive a defect in any of them: a panic is reported as a failed phase.
func (s *system) guard(name string, run func()) {
	go func() {
		err := guard.Run(func() error { run(); return nil })
		if err == nil {
			return
		}
		select {
		case s.broken <- &phase.Failure{Phase: name, Err: err}:
		default: // another one is being reported
		}
	}()
}

// ask requests the end of the run from inside the machine. The first request wins.
func (s *system) ask(kind sequence.Kind) { _ = s.desk.Ask(sequence.Request{Kind: kind}, false) }

// log writes a line of this process to the console and to its log, which the API shows.
func (s *system) log(format string, values ...any) {
	line := fmt.Sprintf(format, values...)
	s.out.Line("dodeka: " + line)
	s.note("%s", line)
}

// note writes to the log only.
func (s *system) note(format string, values ...any) {
	writer := s.logs.Writer(services.Machined)
	defer writer.Close()
	fmt.Fprintf(writer, format+"\n", values...)
}

// report puts an error on the console that the machine can live with.
func (s *system) report(what string, err error) {
	if err != nil {
		s.log("%s: %v", what, err)
	}
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
