// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"

	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"

	"dodeka/userland/internal/dashboardview"
	"dodeka/userland/internal/disks"
	"dodeka/userland/internal/install"
	"dodeka/userland/internal/maintenance"
	"dodeka/userland/internal/phase"
	"dodeka/userland/internal/sequence"
)

// installPhases end in a reboot into the installed system.
var installPhases = []phase.Phase[system]{
	{Name: "install", Run: installSystem},
	{Name: "state", Run: makeState},
}

// keepPhases come before the machine calls itself ready, so that its configuration is safe by then.
var keepPhases = []phase.Phase[system]{{Name: "state", Run: softly("state", makeState)}}

// workloadPhases make an installed machine what its configuration asks for, after it calls itself ready: EPHEMERAL can
// take long at the first boot. When one fails the machine stays up.
var workloadPhases = []phase.Phase[system]{
	{Name: "ephemeral", Run: softly("ephemeral", makeEphemeral)},
	{Name: "time", Run: waitForTime},
	{Name: "workloads", Run: softly("workloads", startWorkloads)},
}

// softly makes a phase's failure something that is said and remembered; those after it are not tried.
func softly(name string, run func(*system) error) func(*system) error {
	return func(s *system) error {
		if failed, _ := s.storage.failure(); failed != "" {
			return nil
		}
		if err := run(s); err != nil {
			s.fail(name, err)
		}
		return nil
	}
}

// bootPhases depend on what the machine was found to be.
func (s *system) bootPhases() []phase.Phase[system] {
	if !s.settings.Complete() || !s.storage.installed() || s.cmdline.PowerOffWhenReady {
		return readyPhases
	}
	s.configured = true
	s.storage.setPending(true)
	return slices.Concat(keepPhases, readyPhases)
}

// openMaintenance puts the machine into maintenance mode: the API takes a first configuration from whoever has the code.
func (s *system) openMaintenance() error {
	s.gate.Store(maintenance.NewGate(s.cmdline.OpenMaintenance, s.showCode))
	return s.status.SetStage(runtime.MachineStageMaintenance)
}

// closeMaintenance ends it; a code that nobody needs any more is taken off the console.
func (s *system) closeMaintenance() {
	s.gate.Store(nil)
	s.report("maintenance", dashboardview.WriteCode(codeFile, "", 0))
}

// followConfiguration waits for a configuration, from wherever it comes, and makes the machine what it asks for. When
// that fails the machine stays up: another configuration, or the next boot, is another try.
func (s *system) followConfiguration() {
	<-s.settings.Completed()
	s.closeMaintenance()
	if s.configured {
		s.startWorkloads()
		return
	}
	switch target, wanted, err := s.installTarget(); {
	case err != nil:
		s.fail("install", err)
	case wanted:
		s.installOnto(target)
		return
	case s.storage.installed():
		s.storage.setPending(true)
		_ = sequence.Run(s.recorder, "configure", "", keepPhases, s)
		s.report("status", s.status.SetStage(runtime.MachineStageRunning))
		s.startWorkloads()
		return
	}
	s.report("status", s.status.SetStage(runtime.MachineStageRunning))
}

// startWorkloads runs while the API answers already; until it is done the machine runs, but is not ready.
func (s *system) startWorkloads() {
	_ = sequence.Run(s.recorder, "workloads", "", workloadPhases, s)
	s.storage.setPending(false)
	s.report("status", s.status.SetUnmet(s.unmet))
}

// fail says what failed and what the machine does next, which is to go on as it is.
func (s *system) fail(name string, err error) {
	s.out.Line(phase.FailedLine(&phase.Failure{Phase: name, Err: err}))
	s.out.Line("dodeka: next wait for another configuration or a reboot")
	s.note("%s failed: %v", name, err)
	s.storage.setFailure(name, err.Error())
}

type target struct {
	disk string
	wipe bool
}

// installTarget decides whether the system is to be put onto a disk: it is on none, and the configuration names one.
func (s *system) installTarget() (target, bool, error) {
	var wanted config.Install
	if active := s.settings.Active(); active.Machine() != nil {
		wanted = active.Machine().Install()
	}
	if s.storage.installed() || wanted == nil {
		return target{}, false, nil
	}
	selector, err := disks.SelectorOf(wanted)
	if err != nil {
		return target{}, false, err
	}
	if selector.Path == "" && selector.Match == nil {
		return target{}, false, nil
	}
	inventory, err := disks.Take("/sys", "/proc", false)
	if err != nil {
		return target{}, false, err
	}
	disk, err := disks.Select(inventory.Disks, selector, inventory.Boot, inventory.System)
	return target{disk.DevPath, wanted.Zero()}, err == nil, err
}

// installOnto installs, keeps the configuration on the new disk, and reboots into it.
func (s *system) installOnto(t target) {
	s.versions.mu.Lock() // so that nobody asks for another disk meanwhile
	defer s.versions.mu.Unlock()
	s.storage.target = t
	s.report("status", s.status.SetStage(runtime.MachineStageInstalling))
	if failed := sequence.Run(s.recorder, "install", "", installPhases, s); failed != nil {
		s.fail(failed.Phase, failed.Err)
		s.report("status", s.status.SetStage(runtime.MachineStageRunning))
		return
	}
	s.ask(sequence.Reboot)
}

func installSystem(s *system) error {
	err := install.Run(context.Background(), install.Request{
		Disk: s.storage.target.disk, Wipe: s.storage.target.wipe,
		Progress: func(text string) { s.log("install: %s", text) },
	})
	if err != nil {
		return err
	}
	s.storage.installedOnto(s.storage.target.disk)
	return nil
}
