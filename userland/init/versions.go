// SPDX-License-Identifier: Apache-2.0

package main

// The versions of the system on the machine's disk, as the API changes them. What becomes of a version that is tried is in
// trial.go.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dodeka/userland/internal/bootentry"
	"dodeka/userland/internal/containerd"
	"dodeka/userland/internal/disks"
	"dodeka/userland/internal/install"
	"dodeka/userland/internal/machineapi"
	"dodeka/userland/internal/media"
	"dodeka/userland/internal/upgrade"
)

const (
	espFolder = "/run/dodeka/media" // on a machine that runs from its disk
	fetched   = "dodeka.upgrade"    // name in containerd of an image that is fetched for one upgrade
)

// versions serves the API.
type versions struct {
	s          *system
	containerd *containerd.Client
	mu         sync.Mutex // one change of the disk's versions at a time
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
func (v *versions) Upgrade(ctx context.Context, from machineapi.VersionImage, progress func(string)) error {
	if v.containerd == nil {
		return status.Error(codes.FailedPrecondition, "there is no containerd on this machine")
	}
	return v.alone(func() error {
		esp, running, err := v.s.bootEntries()
		if err != nil {
			return err
		}
		name := from.Name
		if from.Fetch {
			name = fetched
			if err := v.containerd.Fetch(ctx, from.Namespace, from.Name, name); err != nil {
				return err
			}
			defer func() { _ = v.containerd.Remove(context.WithoutCancel(ctx), from.Namespace, name) }()
		}
		files, err := v.files(ctx, from.Namespace, name)
		if err != nil {
			return err
		}
		v.s.report("status", v.s.status.SetStage(runtime.MachineStageUpgrading))
		tell := func(message string) {
			v.s.log("upgrade: %s", message)
			progress(message)
		}
		request := upgrade.Request{Files: files, Loaders: esp, Running: running, Booted: v.s.cmdline, Progress: tell}
		if err := v.write(ctx, request); err != nil {
			v.s.report("upgrade", err)
			v.s.report("status", v.s.status.SetStage(runtime.MachineStageRunning))
			return refusedUpgrade(err)
		}
		tell("the next boot tries the version")
		return nil
	})
}

// write puts the version onto the ESP and has it tried.
func (v *versions) write(ctx context.Context, r upgrade.Request) error {
	return v.s.changeESP(r.Loaders, func(meta publishedMeta) error {
		if err := upgrade.Abandon(meta, r.Loaders, r.Running); err != nil {
			return err
		}
		version, err := upgrade.Write(ctx, r)
		if err != nil {
			return err
		}
		return upgrade.Begin(meta, r.Loaders, version, r.Running)
	})
}

// changeESP runs a change of what boots, beside which META is written.
func (s *system) changeESP(loaders bootentry.Loaders, run func(publishedMeta) error) error {
	report := func(err error) { s.report("ESP", err) }
	return media.Writable(loaders.ESP, report, func() error { return run(publishedMeta{s, s.storage.store()}) })
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
	if errors.Is(err, containerd.ErrNoArtifact) {
		return nil, status.Errorf(codes.FailedPrecondition, "%v; name an image that was made from the output \"installer\"", err)
	}
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
		return v.s.changeESP(esp, func(meta publishedMeta) error {
			entry, err := upgrade.Rollback(meta, esp, running)
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
