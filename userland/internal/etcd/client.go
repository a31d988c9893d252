// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

var errNotRunning = status.Error(codes.FailedPrecondition, "etcd does not run on this machine: `talosctl service etcd` says what it waits for")

// connect makes a connection that comes about with the first call.
func (s *Service) connect() (*grpc.ClientConn, error) {
	config, err := s.clientTLS()
	if err != nil {
		return nil, err
	}
	return grpc.NewClient("passthrough:///"+s.Address,
		grpc.WithTransportCredentials(credentials.NewTLS(config)), grpc.WithNoProxy(),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: startWait, Multiplier: 1.5, MaxDelay: 2 * time.Second}}),
	)
}

// healthy asks whether the member serves, and has a leader.
func (s *Service) healthy(ctx context.Context) error {
	answer, err := pb.NewMaintenanceClient(s.client).Status(ctx, &pb.StatusRequest{})
	switch {
	case err != nil:
		return err
	case answer.GetLeader() == 0:
		return errors.New("there is no leader")
	case len(answer.GetErrors()) > 0:
		return errors.New(strings.Join(answer.GetErrors(), ", "))
	}
	return nil
}

// maintenance and cluster are etcd's services. They are not there unless it runs.
func (s *Service) maintenance() (pb.MaintenanceClient, error) {
	if !s.running.Load() {
		return nil, errNotRunning
	}
	return pb.NewMaintenanceClient(s.client), nil
}

// Members lists those of the cluster; a local list needs no agreement with the others.
func (s *Service) Members(ctx context.Context, local bool) ([]*machine.EtcdMember, error) {
	if !s.running.Load() {
		return nil, errNotRunning
	}
	answer, err := pb.NewClusterClient(s.client).MemberList(ctx, &pb.MemberListRequest{Linearizable: !local})
	if err != nil {
		return nil, err
	}
	var list []*machine.EtcdMember
	for _, m := range answer.GetMembers() {
		list = append(list, &machine.EtcdMember{
			Id: m.GetID(), Hostname: m.GetName(), PeerUrls: m.GetPeerURLs(), ClientUrls: m.GetClientURLs(), IsLearner: m.GetIsLearner(),
		})
	}
	return list, nil
}

// Status tells of this member.
func (s *Service) Status(ctx context.Context) (*machine.EtcdMemberStatus, error) {
	client, err := s.maintenance()
	if err != nil {
		return nil, err
	}
	answer, err := client.Status(ctx, &pb.StatusRequest{})
	if err != nil {
		return nil, err
	}
	return &machine.EtcdMemberStatus{
		MemberId: answer.GetHeader().GetMemberId(), Leader: answer.GetLeader(), IsLearner: answer.GetIsLearner(),
		ProtocolVersion: answer.GetVersion(), StorageVersion: answer.GetStorageVersion(),
		DbSize: answer.GetDbSize(), DbSizeInUse: answer.GetDbSizeInUse(),
		RaftIndex: answer.GetRaftIndex(), RaftTerm: answer.GetRaftTerm(), RaftAppliedIndex: answer.GetRaftAppliedIndex(),
		Errors: answer.GetErrors(),
	}, nil
}

// Alarms lists those that etcd has raised, on any member.
func (s *Service) Alarms(ctx context.Context) ([]*machine.EtcdMemberAlarm, error) {
	return s.alarm(ctx, &pb.AlarmRequest{Action: pb.AlarmRequest_GET})
}

// Disarm ends all alarms, and lists them.
func (s *Service) Disarm(ctx context.Context) ([]*machine.EtcdMemberAlarm, error) {
	raised, err := s.Alarms(ctx)
	if err != nil {
		return nil, err
	}
	for _, one := range raised {
		request := &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, MemberID: one.GetMemberId(), Alarm: pb.AlarmType(one.GetAlarm())}
		if _, err := s.alarm(ctx, request); err != nil {
			return nil, err
		}
	}
	return raised, nil
}

// alarm relies on both APIs numbering kinds of alarms alike, which a test keeps.
func (s *Service) alarm(ctx context.Context, request *pb.AlarmRequest) ([]*machine.EtcdMemberAlarm, error) {
	client, err := s.maintenance()
	if err != nil {
		return nil, err
	}
	answer, err := client.Alarm(ctx, request)
	if err != nil {
		return nil, err
	}
	var list []*machine.EtcdMemberAlarm
	for _, one := range answer.GetAlarms() {
		list = append(list, &machine.EtcdMemberAlarm{MemberId: one.GetMemberID(), Alarm: machine.EtcdMemberAlarm_AlarmType(one.GetAlarm())})
	}
	return list, nil
}

// Defragment gives what the database does not use back to the disk. etcd answers nobody meanwhile.
func (s *Service) Defragment(ctx context.Context) error {
	client, err := s.maintenance()
	if err == nil {
		_, err = client.Defragment(ctx, &pb.DefragmentRequest{})
	}
	return err
}

// Snapshot gives a snapshot to send, one part after another: the database and then its checksum.
func (s *Service) Snapshot(ctx context.Context, send func([]byte) error) error {
	client, err := s.maintenance()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.Snapshot(ctx, &pb.SnapshotRequest{})
	if err != nil {
		return err
	}
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := send(part.GetBlob()); err != nil {
			return err
		}
	}
}
