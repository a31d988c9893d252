// SPDX-License-Identifier: Apache-2.0

package services

import (
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// maxEvents bounds the history of each service.
const maxEvents = 64

// The states. Their numbers are those of the event, their names those that clients show.
const (
	stateInitialized = machine.ServiceStateEvent_INITIALIZED
	statePreparing   = machine.ServiceStateEvent_PREPARING
	stateWaiting     = machine.ServiceStateEvent_WAITING
	stateRunning     = machine.ServiceStateEvent_RUNNING
	stateStopping    = machine.ServiceStateEvent_STOPPING
	stateFinished    = machine.ServiceStateEvent_FINISHED
	stateFailed      = machine.ServiceStateEvent_FAILED
	stateSkipped     = machine.ServiceStateEvent_SKIPPED
	stateStarting    = machine.ServiceStateEvent_STARTING
)

type serviceState = machine.ServiceStateEvent_Action

var stateNames = map[serviceState]string{
	stateInitialized: "Initialized", statePreparing: "Preparing", stateWaiting: "Waiting", stateRunning: "Running",
	stateStopping: "Stopping", stateFinished: "Finished", stateFailed: "Failed", stateSkipped: "Skipped",
	stateStarting: "Starting",
}

// history is what a service tells about itself.
type history struct {
	state  serviceState
	pid    int // of the process that runs, or 0
	health health
	events []*machine.ServiceEvent // the newest last; never changed once they are here
}

// health is unknown until the first check of a run.
type health struct {
	known, good bool
	message     string
	since       time.Time
}

func (h *history) push(message string) {
	h.events = append(h.events, &machine.ServiceEvent{Msg: message, State: stateNames[h.state], Ts: timestamppb.Now()})
	if len(h.events) > maxEvents {
		h.events = append([]*machine.ServiceEvent(nil), h.events[1:]...)
	}
}

func (h health) proto() *machine.ServiceHealth {
	text := h.message
	if !h.known {
		text = "Unknown"
	}
	m := &machine.ServiceHealth{Unknown: !h.known, Healthy: h.known && h.good, LastMessage: text}
	if !h.since.IsZero() {
		m.LastChange = timestamppb.New(h.since)
	}
	return m
}
