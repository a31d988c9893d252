// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dodeka/userland/internal/bootentry"
	"dodeka/userland/internal/containerd"
	"dodeka/userland/internal/disks"
	"dodeka/userland/internal/install"
	"dodeka/userland/internal/media"
	"dodeka/userland/internal/sequence"
	"dodeka/userland/internal/upgrade"
)

const (
	espFolder = "/run/dodeka/media" // on a machine that runs from its disk
	// A version that is tried is kept when the machine was well for so long.
	trialCalm = 5 * time.Second
	trialStep = time.Second
)

// versions are the versions of the system on the disk. It serves the API.
type versions struct {
	s          *system
	containerd *containerd.Client
	mu         sync.Mutex // one change at a time
}

var errChanging = status.Error(codes.Aborted, "another version is being written to this machine's disk")

func (v *versions) alone(run func() error) error {
	if !v.mu.TryLock() {
		return errChanging
	}
	defer v.mu.Unlock()
	return run()
}

// Upgrade implements machineapi.Versions.
func (v *versions) Upgrade(ctx context.Context, namespace, image string, progress func(string)) error {
	if v.containerd == nil {
		return status.Error(codes.FailedPrecondition, "there is no containerd on this machine")
	}
	return v.alone(func() error {
		esp, running, err := v.s.bootEntries()
		if err != nil {
			return err
		}
		files, err := v.files(ctx, namespace, image)
		if err != nil {
			return err
		}
		tell := func(message string) {
			v.s.log("upgrade: %s", message)
			progress(message)
		}
		v.s.report("status", v.s.status.SetStage(runtime.MachineStageUpgrading))
		err = media.Writable(esp.ESP, func() error {
			request := upgrade.Request{Files: files, Loaders: esp, Running: running, Booted: v.s.cmdline, Progress: tell}
			version, err := upgrade.Write(ctx, request)
			if err != nil {
				return err
			}
			return upgrade.Begin(v.s.storage.store(), esp, version, running)
		})
		if err == nil {
			tell("the next boot tries the version")
			return nil
		}
		v.s.report("upgrade", err)
		v.s.report("status", v.s.status.SetStage(runtime.MachineStageRunning))
		return refusedUpgrade(err)
	})
}

// refusedUpgrade says whose fault it is: what an image brings, or that it is there already.
func refusedUpgrade(err error) error {
	if errors.Is(err, upgrade.ErrRuns) {
		return status.Error(codes.AlreadyExists, err.Error())
	}
	return status.Error(codes.FailedPrecondition, err.Error())
}

func (v *versions) files(ctx context.Context, namespace, image string) ([]upgrade.File, error) {
	found, err := v.containerd.Artifact(ctx, namespace, image, upgrade.ArtifactType)
	if err != nil {
		return nil, err
	}
	var files []upgrade.File
	for _, f := range found {
		files = append(files, upgrade.File{
			Path: f.Path, Digest: f.Digest, Size: f.Size,
			Open: func(ctx context.Context) io.Reader { return v.containerd.Open(ctx, namespace, f) },
		})
	}
	return files, nil
}

// Install implements machineapi.Versions.
func (v *versions) Install(ctx context.Context, disk string, progress func(string)) error {
	return v.alone(func() error {
		if v.s.storage.installed() {
			return status.Error(codes.AlreadyExists, "this machine is installed on "+v.s.storage.disk())
		}
		err := install.Run(ctx, install.Request{Disk: disk, Progress: func(message string) {
			v.s.log("install: %s", message)
			progress(message)
		}})
		if err != nil {
			return err
		}
		v.s.storage.installedOnto(disk)
		if !v.s.settings.Complete() {
			return nil
		}
		return makeState(v.s) // where the configuration is kept
	})
}

// Rollback implements machineapi.Versions.
func (v *versions) Rollback(context.Context) error {
	return v.alone(func() error {
		esp, running, err := v.s.bootEntries()
		if err != nil {
			return err
		}
		return media.Writable(esp.ESP, func() error {
			entry, err := upgrade.Rollback(v.s.storage.store(), esp, running)
			if err == nil {
				v.s.log("rollback: %s boots next", entry)
				return nil
			}
			return status.Error(codes.FailedPrecondition, err.Error())
		})
	})
}

// bootEntries says what runs, and where its disk keeps the choice. A machine that was started from elsewhere than its disk
// has none: what it would change is not what it runs.
func (s *system) bootEntries() (bootentry.Loaders, string, error) {
	refuse := func(format string, values ...any) (bootentry.Loaders, string, error) {
		return bootentry.Loaders{}, "", status.Error(codes.FailedPrecondition, fmt.Sprintf(format, values...))
	}
	inventory, err := disks.Take("/sys", "/proc", false)
	if err != nil {
		return bootentry.Loaders{}, "", err
	}
	switch {
	case inventory.System == "" || s.storage.store() == nil:
		return refuse("this machine is not installed")
	case inventory.Boot != inventory.System:
		return refuse("this machine was not started from its disk %s, so that is not what it runs", inventory.System)
	}
	loaders := bootentry.Loaders{ESP: espFolder, EFI: bootentry.Firmware(bootentry.Variables)}
	running, err := bootentry.Running(s.text, loaders.EFI)
	if err != nil {
		return refuse("%v", err)
	}
	return loaders, running, nil
}

// examineAttempt looks at what became of the last upgrade, and remembers whether this boot is its trial.
func (s *system) examineAttempt() {
	meta := s.storage.store()
	last, found := upgrade.Last(meta)
	if !found || last.State != upgrade.Trying {
		return
	}
	_, running, err := s.bootEntries()
	if err != nil {
		s.report("upgrade", err)
		return
	}
	attempt, _, err := upgrade.AtBoot(publishedMeta{s, meta}, running)
	s.report("upgrade", err)
	if attempt.State == upgrade.Trying {
		s.log("upgrade: version %s is tried", attempt.Version)
		s.attempt = &attempt
		return
	}
	s.log("upgrade: version %s failed: %s", attempt.Version, attempt.Reason)
}

// followAttempt keeps the version that is tried once the machine is well, or reboots into the one before.
func (s *system) followAttempt() {
	deadline := time.Now().Add(s.cmdline.Trial)
	well := time.Time{}
	for {
		time.Sleep(trialStep)
		missing := s.missing()
		switch now := time.Now(); {
		case missing == "" && well.IsZero():
			well = now
		case missing == "" && now.Sub(well) >= trialCalm:
			s.keepAttempt()
			return
		case missing != "" && now.After(deadline):
			s.report("upgrade", s.attempt.GiveUp(publishedMeta{s, s.storage.store()}, missing))
			s.log("upgrade: version %s failed: %s", s.attempt.Version, missing)
			s.ask(sequence.Reboot)
			return
		case missing != "":
			well = time.Time{}
		}
	}
}

// missing says what the machine lacks to be well, in words; nothing when it is.
func (s *system) missing() string {
	if !s.settings.Complete() {
		return "the machine has no configuration"
	}
	if !s.isReachable() {
		return "the machine has no address"
	}
	for _, unmet := range s.unmet() {
		return unmet.Name + ": " + unmet.Reason
	}
	return ""
}

// keepAttempt makes the version the one that boots. When that fails, the one before does so after the next reboot.
func (s *system) keepAttempt() {
	loaders, _, err := s.bootEntries()
	if err == nil {
		err = media.Writable(loaders.ESP, func() error {
			return s.attempt.Keep(publishedMeta{s, s.storage.store()}, loaders)
		})
	}
	if err != nil {
		s.report("upgrade", err)
		return
	}
	s.log("upgrade: version %s is kept", s.attempt.Version)
}

func (s *system) isReachable() bool {
	found, err := safe.StateGetByID[*network.Status](context.Background(), s.os.State, network.StatusID)
	return err == nil && found.TypedSpec().AddressReady
}
