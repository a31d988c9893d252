// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	timeapi "github.com/siderolabs/talos/pkg/machinery/api/time"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// timeWait bounds the question to a time server.
const timeWait = 5 * time.Second

// Time implements timeapi.TimeServiceServer: the machine's clock beside that of its first time server.
func (a *api) Time(ctx context.Context, _ *emptypb.Empty) (*timeapi.TimeResponse, error) {
	servers, err := safe.StateGetByID[*network.TimeServerStatus](ctx, a.p.State, network.TimeServerID)
	if err != nil && !state.IsNotFoundError(err) {
		return nil, err
	}
	if err != nil || len(servers.TypedSpec().NTPServers) == 0 {
		return nil, status.Error(codes.FailedPrecondition, "the machine has no time server")
	}
	return a.compareClocks(ctx, servers.TypedSpec().NTPServers[0])
}

// TimeCheck implements timeapi.TimeServiceServer: the same with a server that the caller names.
func (a *api) TimeCheck(ctx context.Context, r *timeapi.TimeRequest) (*timeapi.TimeResponse, error) {
	if _, err := netip.ParseAddr(r.Server); err != nil && (r.Server == "" || strings.ContainsAny(r.Server, ":/[]% ")) {
		return nil, status.Errorf(codes.InvalidArgument, "time server %q: expected an address or a name, without a port", r.Server)
	}
	return a.compareClocks(ctx, r.Server)
}

func (a *api) compareClocks(ctx context.Context, server string) (*timeapi.TimeResponse, error) {
	if a.p.AskTime == nil {
		return nil, status.Error(codes.FailedPrecondition, "this machine asks no time servers")
	}
	ctx, cancel := context.WithTimeout(ctx, timeWait)
	defer cancel()
	offset, err := a.p.AskTime(ctx, server)
	if err != nil {
		return nil, status.Errorf(codes.Unavailable, "ask %s for the time: %v", server, err)
	}
	now := time.Now()
	return &timeapi.TimeResponse{Messages: []*timeapi.Time{{
		Server: server, Localtime: timestamppb.New(now), Remotetime: timestamppb.New(now.Add(offset)),
	}}}, nil
}
