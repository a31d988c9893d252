// SPDX-License-Identifier: Apache-2.0

package sequence

import (
	"context"
	"slices"
	"sync"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
)

// Status is the stage of the machine and what it still lacks there. It is written to the resource runtime.MachineStatus
// and published when it changes.
type Status struct {
	state  state.State
	events Publisher
	mu     sync.Mutex
	spec   runtime.MachineStatusSpec
}

// NewStatus starts with stage booting, not ready.
func NewStatus(ctx context.Context, resources state.State, events Publisher) (*Status, error) {
	s := &Status{state: resources, events: events}
	status := runtime.NewMachineStatus()
	status.TypedSpec().Stage = runtime.MachineStageBooting
	if err := resources.Create(ctx, status); err != nil {
		return nil, err
	}
	s.spec = *status.TypedSpec()
	s.publish()
	return s, nil
}

// SetStage moves the machine on.
func (s *Status) SetStage(stage runtime.MachineStage) error {
	return s.change(func(spec *runtime.MachineStatusSpec) { spec.Stage = stage })
}

// SetUnmet asks what the machine lacks; nothing makes it ready. One caller asks at a time, so that an older answer never
// replaces a newer one.
func (s *Status) SetUnmet(ask func() []runtime.UnmetCondition) error {
	return s.change(func(spec *runtime.MachineStatusSpec) {
		unmet := ask()
		spec.Status = runtime.MachineStatusStatus{Ready: len(unmet) == 0, UnmetConditions: unmet}
	})
}

func (s *Status) change(alter func(*runtime.MachineStatusSpec)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.spec
	alter(&next)
	if same(s.spec, next) {
		return nil
	}
	_, err := safe.StateUpdateWithConflicts(context.Background(), s.state, runtime.NewMachineStatus().Metadata(), func(m *runtime.MachineStatus) error {
		*m.TypedSpec() = next
		return nil
	})
	if err != nil {
		return err
	}
	s.spec = next
	s.publish()
	return nil
}

func same(a, b runtime.MachineStatusSpec) bool {
	return a.Stage == b.Stage && a.Status.Ready == b.Status.Ready && slices.Equal(a.Status.UnmetConditions, b.Status.UnmetConditions)
}

func (s *Status) publish() {
	status := &machine.MachineStatusEvent_MachineStatus{Ready: s.spec.Status.Ready}
	for _, u := range s.spec.Status.UnmetConditions {
		status.UnmetConditions = append(status.UnmetConditions, &machine.MachineStatusEvent_MachineStatus_UnmetCondition{
			Name: u.Name, Reason: u.Reason,
		})
	}
	// The numbers of both enumerations are not the same.
	s.events.Publish("", &machine.MachineStatusEvent{Stage: stages[s.spec.Stage], Status: status})
}

var stages = map[runtime.MachineStage]machine.MachineStatusEvent_MachineStage{
	runtime.MachineStageUnknown:      machine.MachineStatusEvent_UNKNOWN,
	runtime.MachineStageBooting:      machine.MachineStatusEvent_BOOTING,
	runtime.MachineStageInstalling:   machine.MachineStatusEvent_INSTALLING,
	runtime.MachineStageMaintenance:  machine.MachineStatusEvent_MAINTENANCE,
	runtime.MachineStageRunning:      machine.MachineStatusEvent_RUNNING,
	runtime.MachineStageRebooting:    machine.MachineStatusEvent_REBOOTING,
	runtime.MachineStageShuttingDown: machine.MachineStatusEvent_SHUTTING_DOWN,
	runtime.MachineStageResetting:    machine.MachineStatusEvent_RESETTING,
	runtime.MachineStageUpgrading:    machine.MachineStatusEvent_UPGRADING,
}
