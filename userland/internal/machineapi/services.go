// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"
	"errors"
	"fmt"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"dodeka/userland/internal/services"
)

// ServiceList implements machine.MachineServiceServer.
func (a *api) ServiceList(context.Context, *emptypb.Empty) (*machine.ServiceListResponse, error) {
	list := &machine.ServiceList{}
	if a.p.Services != nil {
		list.Services = a.p.Services.List()
	}
	return &machine.ServiceListResponse{Messages: []*machine.ServiceList{list}}, nil
}

// ServiceStart implements machine.MachineServiceServer.
func (a *api) ServiceStart(ctx context.Context, r *machine.ServiceStartRequest) (*machine.ServiceStartResponse, error) {
	text, err := a.operate(ctx, r.Id, "started", Services.Start)
	return &machine.ServiceStartResponse{Messages: []*machine.ServiceStart{{Resp: text}}}, err
}

// ServiceStop implements machine.MachineServiceServer.
func (a *api) ServiceStop(ctx context.Context, r *machine.ServiceStopRequest) (*machine.ServiceStopResponse, error) {
	text, err := a.operate(ctx, r.Id, "stopped", Services.Stop)
	return &machine.ServiceStopResponse{Messages: []*machine.ServiceStop{{Resp: text}}}, err
}

// ServiceRestart implements machine.MachineServiceServer.
func (a *api) ServiceRestart(ctx context.Context, r *machine.ServiceRestartRequest) (*machine.ServiceRestartResponse, error) {
	text, err := a.operate(ctx, r.Id, "restarted", Services.Restart)
	return &machine.ServiceRestartResponse{Messages: []*machine.ServiceRestart{{Resp: text}}}, err
}

// operate goes on when the caller goes away: a service that is stopped for a restart must be started again.
func (a *api) operate(ctx context.Context, id, done string, do func(Services, context.Context, string) error) (string, error) {
	if a.p.Services == nil {
		return "", status.Error(codes.FailedPrecondition, "no services run yet")
	}
	err := a.p.Services.Operable(id)
	if err == nil {
		err = do(a.p.Services, context.WithoutCancel(ctx), id)
	}
	switch {
	case errors.Is(err, services.ErrUnknown):
		return "", status.Error(codes.NotFound, err.Error())
	case errors.Is(err, services.ErrNotOperable), errors.Is(err, services.ErrEnding):
		return "", status.Error(codes.FailedPrecondition, err.Error())
	case err != nil:
		return "", err
	}
	return fmt.Sprintf("Service %q %s", id, done), nil
}
