// SPDX-License-Identifier: Apache-2.0

// Package sequence says what the machine is doing: booting, installing, rebooting, shutting down, resetting. Each is a
// list of named phases that one loop runs; every phase goes to the console and to the events API as it begins and ends,
// and the stage of the machine is a resource and an event of its own.
package sequence

import (
	"fmt"
	"sync"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/protobuf/proto"

	"dodeka/userland/internal/phase"
)

// Publisher takes events; *events.Stream is one.
type Publisher interface {
	Publish(actor string, payload proto.Message)
}

// Recorder tells the console and the events API about the phases of the sequence that runs. One sequence runs at a time.
type Recorder struct {
	Events Publisher
	Line   func(text string)    // to the console
	Since  func() time.Duration // since the kernel started
	Begun  func(phase string)   // whom else to tell; nil for nobody

	mu       sync.Mutex
	sequence string
	actor    string
	phase    string
}

// Begin starts a sequence. Actor is the id of the request that asked for it, empty where nobody did.
func (r *Recorder) Begin(name, actor string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endPhase()
	r.sequence, r.actor = name, actor
	r.Events.Publish(actor, &machine.SequenceEvent{Sequence: name, Action: machine.SequenceEvent_START})
}

// Phase ends the phase before and starts one. A phase has one task, of the same name, for clients that show tasks.
func (r *Recorder) Phase(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endPhase()
	r.phase = name
	r.Line(phase.Line(name, r.Since()))
	if r.Begun != nil {
		r.Begun(name)
	}
	r.Events.Publish(r.actor, &machine.PhaseEvent{Phase: name, Action: machine.PhaseEvent_START})
	r.Events.Publish(r.actor, &machine.TaskEvent{Task: name, Action: machine.TaskEvent_START})
}

// End ends the sequence; err is nil when all of its phases were done.
func (r *Recorder) End(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endPhase()
	if r.sequence == "" {
		return
	}
	event := &machine.SequenceEvent{Sequence: r.sequence, Action: machine.SequenceEvent_STOP}
	if err != nil {
		event.Error = &common.Error{Code: common.Code_FATAL, Message: err.Error()}
	}
	r.Events.Publish(r.actor, event)
	r.sequence, r.actor = "", ""
}

func (r *Recorder) endPhase() {
	if r.phase == "" {
		return
	}
	r.Events.Publish(r.actor, &machine.TaskEvent{Task: r.phase, Action: machine.TaskEvent_STOP})
	r.Events.Publish(r.actor, &machine.PhaseEvent{Phase: r.phase, Action: machine.PhaseEvent_STOP})
	r.phase = ""
}

// Run runs a list of phases as a sequence and stops at the first failure.
func Run[S any](r *Recorder, name, actor string, phases []phase.Phase[S], state *S) *phase.Failure {
	r.Begin(name, actor)
	failed := phase.Run(phases, state, r.Phase)
	if failed != nil {
		r.End(fmt.Errorf("%s: %w", failed.Phase, failed.Err))
		return failed
	}
	r.End(nil)
	return nil
}
