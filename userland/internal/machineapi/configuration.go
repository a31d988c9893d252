// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/role"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dodeka/userland/internal/access"
	"dodeka/userland/internal/settings"
)

// answerFirst is how long the answer of a call has to reach its caller before the machine goes down because of it.
const answerFirst = time.Second

// ApplyConfiguration implements machine.MachineServiceServer. A machine with a configuration takes another one from
// administrators only. One without knows nobody, and takes it from whoever has the code that its console shows.
func (a *api) ApplyConfiguration(ctx context.Context, r *machine.ApplyConfigurationRequest) (*machine.ApplyConfigurationResponse, error) {
	if a.p.Settings == nil {
		return nil, status.Error(codes.FailedPrecondition, "the machine is not ready for a configuration yet")
	}
	request := settings.Request{Data: r.Data, Mode: r.Mode, DryRun: r.DryRun}
	if r.TryModeTimeout != nil {
		request.TryTimeout = r.TryModeTimeout.AsDuration()
	}
	if !access.From(ctx).Roles.Includes(role.Admin) {
		var err error
		if request.Data, err = a.admit(r.Data); err != nil {
			return nil, err
		}
	}
	outcome, err := a.p.Settings.Apply(ctx, request)
	if err != nil {
		return nil, err
	}
	if outcome.NeedsReboot {
		a.rebootSoon()
	}
	return &machine.ApplyConfigurationResponse{Messages: []*machine.ApplyConfiguration{{
		Mode: outcome.Mode, ModeDetails: outcome.ModeDetails, Warnings: outcome.Warnings,
	}}}, nil
}

// admit lets a first configuration in. The code is asked for before the document is read.
func (a *api) admit(data []byte) ([]byte, error) {
	if a.p.Settings.Complete() || a.p.Gate == nil {
		return nil, access.ErrNotAuthorized
	}
	return a.p.Gate.Admit(data)
}

// rebootSoon lets the answer out first.
func (a *api) rebootSoon() {
	time.AfterFunc(answerFirst, func() {
		if a.p.Sequences == nil {
			a.p.Log("api: the new configuration needs a reboot, which this machine cannot do by itself")
			return
		}
		if err := a.p.Sequences.Reboot(context.Background(), "", machine.RebootRequest_DEFAULT); err != nil {
			a.p.Log("api: reboot for the new configuration: %v", err)
		}
	})
}
