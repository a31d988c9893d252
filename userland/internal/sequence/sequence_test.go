// SPDX-License-Identifier: Apache-2.0

package sequence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"google.golang.org/protobuf/proto"

	"dodeka/userland/internal/osstate"
	"dodeka/userland/internal/phase"
)

// written collects what is published, as one word each.
type written []string

func (w *written) Publish(actor string, payload proto.Message) {
	text := ""
	switch e := payload.(type) {
	case *machine.SequenceEvent:
		text = fmt.Sprintf("%s %s", e.Sequence, e.Action)
		if e.Error != nil {
			text += " " + e.Error.Message
		}
	case *machine.PhaseEvent:
		text = fmt.Sprintf("phase %s %s", e.Phase, e.Action)
	case *machine.TaskEvent:
		text = fmt.Sprintf("task %s %s", e.Task, e.Action)
	case *machine.MachineStatusEvent:
		text = fmt.Sprintf("stage %s ready=%t unmet=%d", e.Stage, e.Status.Ready, len(e.Status.UnmetConditions))
	}
	*w = append(*w, actor+"|"+text)
}

func TestRunTellsOfEveryPhase(t *testing.T) {
	var events written
	var lines []string
	r := &Recorder{Events: &events, Line: func(l string) { lines = append(lines, l) }, Since: func() time.Duration { return time.Second }}
	failed := Run(r, "reboot", "me", []phase.Phase[int]{
		{Name: "one", Run: func(*int) error { return nil }},
		{Name: "two", Run: func(*int) error { return errors.New("no") }},
		{Name: "three", Run: func(*int) error { panic("runs after a failure") }},
	}, new(int))
	if failed == nil || failed.Phase != "two" {
		t.Fatalf("got %v", failed)
	}
	want := written{
		"me|reboot START",
		"me|phase one START", "me|task one START", "me|task one STOP", "me|phase one STOP",
		"me|phase two START", "me|task two START", "me|task two STOP", "me|phase two STOP",
		"me|reboot STOP two: no",
	}
	if !slices.Equal(events, want) {
		t.Errorf("events %q", events)
	}
	if !slices.Equal(lines, []string{"dodeka: phase one t=1.000", "dodeka: phase two t=1.000"}) {
		t.Errorf("lines %q", lines)
	}
}

// lacks is the answer of a machine that lacks these.
func lacks(names ...string) func() []runtime.UnmetCondition {
	return func() (unmet []runtime.UnmetCondition) {
		for _, name := range names {
			unmet = append(unmet, runtime.UnmetCondition{Name: name})
		}
		return unmet
	}
}

// newStatus is that of a machine that begins to boot, with where it is kept and who is told.
func newStatus(t *testing.T) (*Status, *osstate.OS, *written) {
	t.Helper()
	resources, err := osstate.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	events := &written{}
	s, err := NewStatus(t.Context(), resources.State, events)
	if err != nil {
		t.Fatal(err)
	}
	return s, resources, events
}

func TestAnOlderAnswerNeverReplacesANewerOne(t *testing.T) {
	s, resources, _ := newStatus(t)
	asked, leave := make(chan struct{}), make(chan struct{})
	failures := make([]error, 2)
	var both sync.WaitGroup
	both.Go(func() {
		failures[0] = s.SetUnmet(func() []runtime.UnmetCondition {
			close(asked)
			<-leave
			return lacks("network")()
		})
	})
	<-asked
	both.Go(func() { failures[1] = s.SetUnmet(lacks()) })
	time.Sleep(20 * time.Millisecond) // in which the newer answer would be written, if it could overtake
	close(leave)
	both.Wait()
	got, err := safe.StateGetByID[*runtime.MachineStatus](t.Context(), resources.State, runtime.MachineStatusID)
	if err := errors.Join(append(failures, err)...); err != nil || !got.TypedSpec().Status.Ready {
		t.Errorf("got %+v (%v)", got, err)
	}
}

func TestStatusIsAResourceAndAnEvent(t *testing.T) {
	s, resources, events := newStatus(t)
	err := errors.Join(
		s.SetStage(runtime.MachineStageMaintenance),
		s.SetStage(runtime.MachineStageMaintenance), // no change
		s.SetUnmet(lacks("network")),
		s.SetStage(runtime.MachineStageRunning),
		s.SetUnmet(lacks()),
	)
	if err != nil {
		t.Fatal(err)
	}
	want := written{
		"|stage BOOTING ready=false unmet=0", "|stage MAINTENANCE ready=false unmet=0", "|stage MAINTENANCE ready=false unmet=1",
		"|stage RUNNING ready=false unmet=1", "|stage RUNNING ready=true unmet=0",
	}
	if !slices.Equal(*events, want) {
		t.Errorf("events %q", *events)
	}
	got, err := safe.StateGetByID[*runtime.MachineStatus](t.Context(), resources.State, runtime.MachineStatusID)
	if err != nil || got.TypedSpec().Stage != runtime.MachineStageRunning || !got.TypedSpec().Status.Ready {
		t.Errorf("got %v (%v)", got, err)
	}
}

func TestDeskTakesOneRequest(t *testing.T) {
	d := NewDesk(func(r *machine.ResetRequest) error {
		if r.Graceful {
			return errors.New("refused")
		}
		return nil
	})
	ctx := context.Background()
	if err := d.Reset(ctx, "", &machine.ResetRequest{Graceful: true}); err == nil {
		t.Fatal("the check was not asked")
	}
	if err := d.Reset(ctx, "first", &machine.ResetRequest{}); err != nil {
		t.Fatal(err)
	}
	if err := d.Shutdown(ctx, "second", false); !errors.Is(err, ErrBusy) {
		t.Errorf("a second request: %v", err)
	}
	if d.Patience().Err() != nil {
		t.Error("nobody is in a hurry yet")
	}
	if err := d.Reboot(ctx, "third", machine.RebootRequest_FORCE); err != nil {
		t.Errorf("a forced request: %v", err)
	}
	if d.Patience().Err() == nil {
		t.Error("the forced request hurries nothing")
	}
	if got := <-d.Requests(); got.Kind != Reset || got.Actor != "first" {
		t.Errorf("got %+v", got)
	}
}

func TestDeskWithoutDisksResetsNothing(t *testing.T) {
	if err := NewDesk(nil).Reset(t.Context(), "", &machine.ResetRequest{}); err == nil {
		t.Error("accepted")
	}
}
