// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var errNoSequences = status.Error(codes.FailedPrecondition, "this machine cannot be restarted or reset through the API")

// Reboot implements machine.MachineServiceServer. It answers when the sequence has begun; the events that the answer's
// actor id marks tell how it goes on.
func (a *api) Reboot(ctx context.Context, r *machine.RebootRequest) (*machine.RebootResponse, error) {
	actor, err := a.begin(func(actor string) error {
		return a.p.Sequences.Reboot(context.WithoutCancel(ctx), actor, r.Mode)
	})
	return &machine.RebootResponse{Messages: []*machine.Reboot{{ActorId: actor}}}, err
}

// Shutdown implements machine.MachineServiceServer.
func (a *api) Shutdown(ctx context.Context, r *machine.ShutdownRequest) (*machine.ShutdownResponse, error) {
	actor, err := a.begin(func(actor string) error {
		return a.p.Sequences.Shutdown(context.WithoutCancel(ctx), actor, r.Force)
	})
	return &machine.ShutdownResponse{Messages: []*machine.Shutdown{{ActorId: actor}}}, err
}

// Reset implements machine.MachineServiceServer. What cannot be wiped is refused before anything is.
func (a *api) Reset(ctx context.Context, r *machine.ResetRequest) (*machine.ResetResponse, error) {
	if r.Mode == machine.ResetRequest_SYSTEM_DISK && len(r.UserDisksToWipe) > 0 {
		return nil, status.Error(codes.InvalidArgument, "mode SYSTEM_DISK wipes no user disks, and the request names some")
	}
	if r.Mode == machine.ResetRequest_USER_DISKS && len(r.SystemPartitionsToWipe) > 0 {
		return nil, status.Error(codes.InvalidArgument, "mode USER_DISKS wipes no system partitions, and the request names some")
	}
	actor, err := a.begin(func(actor string) error {
		return a.p.Sequences.Reset(context.WithoutCancel(ctx), actor, r)
	})
	return &machine.ResetResponse{Messages: []*machine.Reset{{ActorId: actor}}}, err
}

func (a *api) begin(start func(actor string) error) (string, error) {
	if a.p.Sequences == nil {
		return "", errNoSequences
	}
	actor := newActor()
	return actor, start(actor)
}

// newActor is a random UUID (RFC 9562 section 5.4).
func newActor() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
