// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"slices"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"dodeka/userland/internal/containerd"
)

// fakeRuntime does what a test says when a program is run.
type fakeRuntime struct {
	mu      sync.Mutex
	fetched []string
	ran     []containerd.Program
	fetch   error
	serve   func() func()                                         // for etcd
	tool    func(ctx context.Context, p containerd.Program) error // for etcdutl
	etcd    func(ctx context.Context) error                       // instead of serving
}

func (r *fakeRuntime) Ensure(_ context.Context, namespace, image string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fetched = append(r.fetched, namespace+" "+image)
	return r.fetch
}

func (r *fakeRuntime) Run(ctx context.Context, _ string, p containerd.Program, started func(uint32)) error {
	r.mu.Lock()
	r.ran = append(r.ran, p)
	r.mu.Unlock()
	if p.Args[0] == "etcdutl" {
		return r.tool(ctx, p)
	}
	started(7)
	if r.etcd != nil {
		return r.etcd(ctx)
	}
	defer r.serve()()
	<-ctx.Done()
	return nil
}

// last is what was run last.
func (r *fakeRuntime) last() containerd.Program {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ran[len(r.ran)-1]
}

// fakeEtcd answers what a test gives it.
type fakeEtcd struct {
	pb.UnimplementedMaintenanceServer
	mu        sync.Mutex
	leader    uint64
	errors    []string
	alarms    []*pb.AlarmMember
	parts     [][]byte // of a snapshot
	endless   bool     // the last part again and again
	defragged bool
}

func (f *fakeEtcd) Status(context.Context, *pb.StatusRequest) (*pb.StatusResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &pb.StatusResponse{
		Header: &pb.ResponseHeader{MemberId: 5}, Leader: f.leader, Errors: f.errors, Version: "3.7.3", StorageVersion: "3.7.0",
		DbSize: 10, DbSizeInUse: 9, RaftIndex: 8, RaftTerm: 7, RaftAppliedIndex: 6,
	}, nil
}

func (f *fakeEtcd) Alarm(_ context.Context, r *pb.AlarmRequest) (*pb.AlarmResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Action == pb.AlarmRequest_DEACTIVATE {
		f.alarms = slices.DeleteFunc(f.alarms, func(a *pb.AlarmMember) bool { return a.MemberID == r.MemberID && a.Alarm == r.Alarm })
	}
	return &pb.AlarmResponse{Alarms: f.alarms}, nil
}

func (f *fakeEtcd) Defragment(context.Context, *pb.DefragmentRequest) (*pb.DefragmentResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.defragged = true
	return &pb.DefragmentResponse{}, nil
}

func (f *fakeEtcd) Snapshot(_ *pb.SnapshotRequest, stream grpc.ServerStreamingServer[pb.SnapshotResponse]) error {
	for i := 0; i < len(f.parts) || f.endless; i++ {
		if err := stream.Send(&pb.SnapshotResponse{Blob: f.parts[min(i, len(f.parts)-1)]}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeEtcd) lead(id uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leader = id
}

type fakeCluster struct{ pb.UnimplementedClusterServer }

func (fakeCluster) MemberList(_ context.Context, r *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	name := "of this member"
	if r.Linearizable {
		name = "of all"
	}
	return &pb.MemberListResponse{Members: []*pb.Member{{
		ID: 5, Name: name, PeerURLs: []string{"https://192.0.2.7:2380"}, ClientURLs: []string{"https://192.0.2.7:2379"}, IsLearner: true,
	}}}, nil
}
