// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/services/snapshots/v1"
	"github.com/containerd/containerd/api/services/tasks/v1"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// fakeRun is the part of fake that runs one process, which writes its name and ends when a test or a signal says so.
type fakeRun struct {
	deaf    []unix.Signal // signals that the process does not heed
	away    atomic.Int64  // calls of Wait that a restart of containerd ends
	refused string        // the call that fails: "start"

	mu        sync.Mutex
	made      []string // what there is: "snapshot etcd"
	log       []string // what was done
	container *containers.Container
	request   *tasks.CreateTaskRequest
	parent    string
	ended     chan uint32 // exit status
}

func (r *fakeRun) make(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made, r.log = append(r.made, what), append(r.log, "make "+what)
}

// remove is NotFound for what is not there.
func (r *fakeRun) remove(what string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.made, what) {
		return status.Error(codes.NotFound, what)
	}
	r.made = slices.DeleteFunc(r.made, func(one string) bool { return one == what })
	r.log = append(r.log, "remove "+what)
	return nil
}

func (r *fakeRun) has(what string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.made, what)
}

type snapshotsServer struct {
	snapshots.UnimplementedSnapshotsServer
	*fake
}

func (s snapshotsServer) Stat(_ context.Context, r *snapshots.StatSnapshotRequest) (*snapshots.StatSnapshotResponse, error) {
	if r.Snapshotter != "overlayfs" || !s.run.has("snapshot "+r.Key) {
		return nil, status.Error(codes.NotFound, r.Key)
	}
	return &snapshots.StatSnapshotResponse{}, nil
}

func (s snapshotsServer) Prepare(_ context.Context, r *snapshots.PrepareSnapshotRequest) (*snapshots.PrepareSnapshotResponse, error) {
	if r.Labels["containerd.io/gc.root"] == "" {
		return nil, status.Error(codes.InvalidArgument, "nobody keeps the snapshot")
	}
	s.run.parent = r.Parent
	s.run.make("snapshot " + r.Key)
	return &snapshots.PrepareSnapshotResponse{}, nil
}

func (s snapshotsServer) Remove(_ context.Context, r *snapshots.RemoveSnapshotRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, s.run.remove("snapshot " + r.Key)
}

func (s containersServer) Create(_ context.Context, r *containers.CreateContainerRequest) (*containers.CreateContainerResponse, error) {
	s.run.container = r.Container
	s.run.make("container " + r.Container.ID)
	return &containers.CreateContainerResponse{}, nil
}

func (s containersServer) Delete(_ context.Context, r *containers.DeleteContainerRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, s.run.remove("container " + r.ID)
}

func (s tasksServer) Get(_ context.Context, r *tasks.GetRequest) (*tasks.GetResponse, error) {
	if !s.run.has("task " + r.ContainerID) {
		return nil, status.Error(codes.NotFound, r.ContainerID)
	}
	return &tasks.GetResponse{}, nil
}

func (s tasksServer) Create(_ context.Context, r *tasks.CreateTaskRequest) (*tasks.CreateTaskResponse, error) {
	s.run.request, s.run.ended = r, make(chan uint32, 1)
	s.run.make("task " + r.ContainerID)
	return &tasks.CreateTaskResponse{}, nil
}

func (s tasksServer) Start(_ context.Context, r *tasks.StartRequest) (*tasks.StartResponse, error) {
	if s.run.refused == "start" {
		return nil, status.Error(codes.NotFound, `exec: "etcd": executable file not found in $PATH`)
	}
	return &tasks.StartResponse{Pid: 42}, os.WriteFile(s.run.request.Stdout, []byte(r.ContainerID+" is up\n"), 0)
}

func (s tasksServer) Wait(ctx context.Context, _ *tasks.WaitRequest) (*tasks.WaitResponse, error) {
	if s.run.away.Add(-1) >= 0 {
		return nil, status.Error(codes.Unavailable, "containerd is restarted")
	}
	select {
	case exit := <-s.run.ended:
		s.run.ended <- exit
		return &tasks.WaitResponse{ExitStatus: exit}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s tasksServer) Kill(_ context.Context, r *tasks.KillRequest) (*emptypb.Empty, error) {
	if signal := unix.Signal(r.Signal); !slices.Contains(s.run.deaf, signal) {
		select {
		case s.run.ended <- 128 + r.Signal:
		default: // it has ended already
			return nil, status.Error(codes.NotFound, "process already finished")
		}
	}
	return &emptypb.Empty{}, nil
}

func (s tasksServer) Delete(_ context.Context, r *tasks.DeleteTaskRequest) (*tasks.DeleteResponse, error) {
	return &tasks.DeleteResponse{}, s.run.remove("task " + r.ContainerID)
}
