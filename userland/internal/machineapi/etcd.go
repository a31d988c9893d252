// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"

	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// database is where each of these methods begins.
func (a *api) database() (Etcd, error) {
	if a.p.Etcd == nil {
		return nil, status.Error(codes.FailedPrecondition, "etcd cannot run on this machine")
	}
	return a.p.Etcd()
}

// Bootstrap implements machine.MachineServiceServer. It answers when the service has been told.
func (a *api) Bootstrap(ctx context.Context, r *machine.BootstrapRequest) (*machine.BootstrapResponse, error) {
	etcd, err := a.database()
	if err != nil {
		return nil, err
	}
	err = etcd.Bootstrap(ctx, r.GetRecoverEtcd(), r.GetRecoverSkipHashCheck())
	return &machine.BootstrapResponse{Messages: []*machine.Bootstrap{{}}}, err
}

// EtcdRecover implements machine.MachineServiceServer: it keeps a snapshot for Bootstrap.
func (a *api) EtcdRecover(stream grpc.ClientStreamingServer[common.Data, machine.EtcdRecoverResponse]) error {
	etcd, err := a.database()
	if err != nil {
		return err
	}
	err = etcd.Recover(func() ([]byte, error) {
		part, err := stream.Recv()
		return part.GetBytes(), err
	})
	if err != nil {
		return err
	}
	return stream.SendAndClose(&machine.EtcdRecoverResponse{Messages: []*machine.EtcdRecover{{}}})
}

// EtcdSnapshot implements machine.MachineServiceServer.
func (a *api) EtcdSnapshot(_ *machine.EtcdSnapshotRequest, stream grpc.ServerStreamingServer[common.Data]) error {
	etcd, err := a.database()
	if err != nil {
		return err
	}
	return etcd.Snapshot(stream.Context(), func(part []byte) error { return stream.Send(&common.Data{Bytes: part}) })
}

// EtcdMemberList implements machine.MachineServiceServer.
func (a *api) EtcdMemberList(ctx context.Context, r *machine.EtcdMemberListRequest) (*machine.EtcdMemberListResponse, error) {
	etcd, err := a.database()
	if err != nil {
		return nil, err
	}
	members, err := etcd.Members(ctx, r.GetQueryLocal())
	if err != nil {
		return nil, err
	}
	answer := &machine.EtcdMembers{Members: members}
	for _, member := range members {
		answer.LegacyMembers = append(answer.LegacyMembers, member.GetHostname())
	}
	return &machine.EtcdMemberListResponse{Messages: []*machine.EtcdMembers{answer}}, nil
}

// EtcdStatus implements machine.MachineServiceServer.
func (a *api) EtcdStatus(ctx context.Context, _ *emptypb.Empty) (*machine.EtcdStatusResponse, error) {
	etcd, err := a.database()
	if err != nil {
		return nil, err
	}
	member, err := etcd.Status(ctx)
	return &machine.EtcdStatusResponse{Messages: []*machine.EtcdStatus{{MemberStatus: member}}}, err
}

// EtcdAlarmList implements machine.MachineServiceServer.
func (a *api) EtcdAlarmList(ctx context.Context, _ *emptypb.Empty) (*machine.EtcdAlarmListResponse, error) {
	etcd, err := a.database()
	if err != nil {
		return nil, err
	}
	alarms, err := etcd.Alarms(ctx)
	return &machine.EtcdAlarmListResponse{Messages: []*machine.EtcdAlarm{{MemberAlarms: alarms}}}, err
}

// EtcdAlarmDisarm implements machine.MachineServiceServer.
func (a *api) EtcdAlarmDisarm(ctx context.Context, _ *emptypb.Empty) (*machine.EtcdAlarmDisarmResponse, error) {
	etcd, err := a.database()
	if err != nil {
		return nil, err
	}
	alarms, err := etcd.Disarm(ctx)
	return &machine.EtcdAlarmDisarmResponse{Messages: []*machine.EtcdAlarmDisarm{{MemberAlarms: alarms}}}, err
}

// EtcdDefragment implements machine.MachineServiceServer.
func (a *api) EtcdDefragment(ctx context.Context, _ *emptypb.Empty) (*machine.EtcdDefragmentResponse, error) {
	etcd, err := a.database()
	if err != nil {
		return nil, err
	}
	err = etcd.Defragment(ctx)
	return &machine.EtcdDefragmentResponse{Messages: []*machine.EtcdDefragment{{}}}, err
}
