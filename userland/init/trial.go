// SPDX-License-Identifier: Apache-2.0

package main

// The trial of a version: what this boot has to do with the last upgrade, and whether the machine is well.

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"

	"dodeka/userland/internal/sequence"
	"dodeka/userland/internal/services"
	"dodeka/userland/internal/upgrade"
)

const (
	trialCalm = 5 * time.Second
	trialStep = time.Second
)

// trial is that of the version which this boot is the first of.
type trial struct {
	attempt upgrade.Attempt
	ctx     context.Context
	end     context.CancelFunc
	running sync.WaitGroup // of followTrial
}

// examineAttempt looks at what became of the last upgrade, and remembers whether this boot is its trial.
func (s *system) examineAttempt() {
	meta := s.storage.store()
	last, found := upgrade.Last(meta)
	if !found || last.State != upgrade.Trying {
		return
	}
	loaders, running, err := s.bootEntries()
	if err != nil {
		s.report("upgrade", err)
		return
	}
	attempt, _, err := upgrade.AtBoot(publishedMeta{s, meta}, loaders, running)
	s.report("upgrade", err)
	switch attempt.State {
	case upgrade.Trying:
		s.log("upgrade: version %s is tried", attempt.Version)
		s.trial = &trial{attempt: attempt}
		s.trial.ctx, s.trial.end = context.WithCancel(context.Background())
	case upgrade.Failed:
		s.log("upgrade: version %s failed: %s", attempt.Version, attempt.Reason)
	}
}

// followTrial keeps the version once the machine is well, or reboots into the one before.
func (s *system) followTrial() {
	t := s.trial
	defer t.running.Done()
	upgrade.Trial{
		Missing: s.missing, Keep: s.keepVersion, Within: s.cmdline.Trial, Calm: trialCalm, Step: trialStep,
		GiveUp: func(reason string) {
			s.report("upgrade", t.attempt.GiveUp(publishedMeta{s, s.storage.store()}, reason))
			s.log("upgrade: version %s failed: %s", t.attempt.Version, reason)
			s.ask(sequence.Reboot)
		},
	}.Run(t.ctx)
}

// endTrial comes before anything that ends the run: what stops then says nothing about the version.
func (s *system) endTrial() {
	if s.trial == nil {
		return
	}
	s.trial.end()
	s.trial.running.Wait()
}

// keepVersion waits for nobody: the end of a run waits for it.
func (s *system) keepVersion() error {
	return s.versions.alone(func() error {
		loaders, _, err := s.bootEntries()
		if err != nil {
			return err
		}
		keep := func(meta publishedMeta) error { return s.trial.attempt.Keep(meta, loaders) }
		if err := s.changeESP(loaders, keep); err != nil {
			return err
		}
		s.log("upgrade: version %s is kept", s.trial.attempt.Version)
		return nil
	})
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
	return illService(s.services.List())
}

// illService names a service without which a machine cannot be told anything, or does not work, unless it runs and is well.
// One that ends again and again is not running for most of the time.
func illService(list []*machine.ServiceInfo) string {
	for _, id := range []string{services.APID, services.Containerd, services.Kubelet} {
		i := slices.IndexFunc(list, func(info *machine.ServiceInfo) bool { return info.Id == id })
		if i < 0 && id == services.Kubelet {
			continue // nobody asked for it
		}
		if i < 0 || list[i].State != "Running" || !list[i].Health.GetHealthy() {
			return "services: " + id + " is not well"
		}
	}
	return ""
}

func (s *system) isReachable() bool {
	found, err := safe.StateGetByID[*network.Status](context.Background(), s.os.State, network.StatusID)
	return err == nil && found.TypedSpec().AddressReady
}
