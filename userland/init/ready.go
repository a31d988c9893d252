// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"github.com/siderolabs/talos/pkg/machinery/resources/v1alpha1"

	"dodeka/userland/internal/sequence"
)

// calm lets changes that come together be counted once.
const calm = 200 * time.Millisecond

// announceReady says that the API answers, with or without a configuration.
func announceReady(s *system) error {
	c := s.cmdline
	if s.configured {
		s.report("status", s.status.SetUnmet(s.unmet))
		s.report("status", s.status.SetStage(runtime.MachineStageRunning))
	}
	s.out.Line(fmt.Sprintf("dodeka: ready version=%s arch=%s root=%s cmdline=%s", c.Version, architecture, c.RootHash, c.Digest()))
	if c.PowerOffWhenReady {
		s.ask(sequence.Shutdown)
	}
	return nil
}

// followReadiness keeps the list of what the machine lacks up to date.
func (s *system) followReadiness() {
	ctx := context.Background()
	events := make(chan state.Event)
	for _, watch := range []error{
		s.os.State.WatchKind(ctx, v1alpha1.NewService("").Metadata(), events),
		s.os.State.Watch(ctx, network.NewStatus(network.NamespaceName, network.StatusID).Metadata(), events),
	} {
		if watch != nil {
			s.report("readiness", watch)
			return
		}
	}
	for {
		<-events
		for pause := time.After(calm); pause != nil; {
			select {
			case <-events:
			case <-pause:
				pause = nil
			}
		}
		s.report("status", s.status.SetUnmet(s.unmet))
	}
}

// unmet lists the services that are not well, and a failure of what the configuration asked for.
func (s *system) unmet() (list []runtime.UnmetCondition) {
	for _, service := range s.services.List() {
		if service.Health != nil && !service.Health.Unknown && !service.Health.Healthy && service.State == "Running" {
			list = append(list, runtime.UnmetCondition{Name: "services", Reason: service.Id + " is not healthy"})
		}
	}
	if s.storage.isPending() {
		list = append(list, runtime.UnmetCondition{Name: "workloads", Reason: "volumes and workloads are being started"})
	}
	if name, reason := s.storage.failure(); name != "" {
		list = append(list, runtime.UnmetCondition{Name: name, Reason: reason})
	}
	return list
}
