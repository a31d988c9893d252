// SPDX-License-Identifier: Apache-2.0

package sequence

import (
	"context"
	"sync"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Kind is what somebody wants of the machine.
type Kind int

// The kinds of requests, each the end of this run.
const (
	Reboot Kind = iota
	Shutdown
	Reset
)

func (k Kind) String() string { return [...]string{"reboot", "shutdown", "reset"}[k] }

// Request is a wish that the Desk accepted.
type Request struct {
	Kind  Kind
	Actor string                // marks the events of its sequence
	Reset *machine.ResetRequest // of kind Reset
}

// ErrBusy is the answer to a request while another one is carried out.
var ErrBusy = status.Error(codes.FailedPrecondition, "the machine is already going down")

// Desk takes requests from the API, signals and buttons, and hands them to PID 1's loop. The first one wins; a forced
// one after it makes the sequence that runs stop waiting.
type Desk struct {
	requests chan Request
	check    func(*machine.ResetRequest) error
	mu       sync.Mutex
	taken    bool
	hurry    context.CancelFunc
	patience context.Context
}

// NewDesk makes an open desk. Check refuses a reset before anything is wiped; nil refuses every reset.
func NewDesk(check func(*machine.ResetRequest) error) *Desk {
	d := &Desk{requests: make(chan Request, 1), check: check}
	d.patience, d.hurry = context.WithCancel(context.Background())
	return d
}

// Requests delivers the request that was accepted.
func (d *Desk) Requests() <-chan Request { return d.requests }

// Patience ends when a forced request wants the running sequence to wait no longer.
func (d *Desk) Patience() context.Context { return d.patience }

// Ask hands a request in.
func (d *Desk) Ask(r Request, force bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if force && r.Kind != Reset {
		d.hurry()
	}
	if d.taken {
		if force {
			return nil
		}
		return ErrBusy
	}
	d.taken = true
	d.requests <- r
	return nil
}

// Reboot asks for a reboot. Mode FORCE does not wait for services; POWERCYCLE is a reboot as well, as this system does
// not start kernels by kexec.
func (d *Desk) Reboot(_ context.Context, actor string, mode machine.RebootRequest_Mode) error {
	return d.Ask(Request{Kind: Reboot, Actor: actor}, mode == machine.RebootRequest_FORCE)
}

// Shutdown asks for the power to be switched off.
func (d *Desk) Shutdown(_ context.Context, actor string, force bool) error {
	return d.Ask(Request{Kind: Shutdown, Actor: actor}, force)
}

// Reset asks for the machine to be wiped.
func (d *Desk) Reset(_ context.Context, actor string, request *machine.ResetRequest) error {
	if d.check == nil {
		return status.Error(codes.FailedPrecondition, "this machine has nothing that could be reset: it is not installed")
	}
	if err := d.check(request); err != nil {
		return err
	}
	return d.Ask(Request{Kind: Reset, Actor: actor, Reset: request}, false)
}
