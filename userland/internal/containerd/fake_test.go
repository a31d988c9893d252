// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/services/content/v1"
	"github.com/containerd/containerd/api/services/images/v1"
	"github.com/containerd/containerd/api/services/snapshots/v1"
	"github.com/containerd/containerd/api/services/streaming/v1"
	"github.com/containerd/containerd/api/services/tasks/v1"
	transferapi "github.com/containerd/containerd/api/services/transfer/v1"
	"github.com/containerd/containerd/api/types/task"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
)

// fake answers as containerd does, with what a test gives it, in the namespace that the test asks for.
type fake struct {
	namespace  string
	images     []*images.Image
	blobs      map[string][]byte
	containers []*containers.Container
	tasks      []*task.Process
	transfer   func(r *transferapi.TransferRequest, stream func(id string) openedStream) error

	run fakeRun // what is run, and how it goes

	reads   atomic.Int64 // of blobs
	mu      sync.Mutex
	removed []string
	streams map[string]openedStream
}

// openedStream is one that a client has named.
type openedStream struct {
	streaming.Streaming_StreamServer
	end func()
}

// start serves f on a socket of its own and returns a client of it.
func start(t *testing.T, f *fake) *Client {
	t.Helper()
	f.streams = map[string]openedStream{}
	server := grpc.NewServer(
		grpc.UnaryInterceptor(func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			if err := f.checkNamespace(ctx); err != nil {
				return nil, err
			}
			return handle(ctx, r)
		}),
		grpc.StreamInterceptor(func(s any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
			if err := f.checkNamespace(stream.Context()); err != nil {
				return err
			}
			return handle(s, stream)
		}),
	)
	images.RegisterImagesServer(server, imagesServer{fake: f})
	content.RegisterContentServer(server, contentServer{fake: f})
	containers.RegisterContainersServer(server, containersServer{fake: f})
	tasks.RegisterTasksServer(server, tasksServer{fake: f})
	snapshots.RegisterSnapshotsServer(server, snapshotsServer{fake: f})
	transferapi.RegisterTransferServer(server, transferServer{fake: f})
	streaming.RegisterStreamingServer(server, streamingServer{fake: f})
	socket := filepath.Join(t.TempDir(), "containerd.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	client, err := New(socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func (f *fake) checkNamespace(ctx context.Context) error {
	headers, _ := metadata.FromIncomingContext(ctx)
	if got := headers.Get("containerd-namespace"); len(got) != 1 || got[0] != f.namespace {
		return status.Errorf(codes.InvalidArgument, "the call is for namespaces %q", got)
	}
	return nil
}

type imagesServer struct {
	images.UnimplementedImagesServer
	*fake
}

func (s imagesServer) List(context.Context, *images.ListImagesRequest) (*images.ListImagesResponse, error) {
	return &images.ListImagesResponse{Images: s.images}, nil
}

func (s imagesServer) Get(_ context.Context, r *images.GetImageRequest) (*images.GetImageResponse, error) {
	for _, image := range s.images {
		if image.Name == r.Name {
			return &images.GetImageResponse{Image: image}, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "image %q: not found", r.Name)
}

func (s imagesServer) Delete(_ context.Context, r *images.DeleteImageRequest) (*emptypb.Empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !r.Sync {
		return nil, status.Error(codes.InvalidArgument, "not waited for")
	}
	for _, image := range s.images {
		if image.Name == r.Name {
			s.removed = append(s.removed, r.Name)
			return &emptypb.Empty{}, nil
		}
	}
	return nil, status.Errorf(codes.NotFound, "image %q: not found", r.Name)
}

type contentServer struct {
	content.UnimplementedContentServer
	*fake
}

func (s contentServer) Read(r *content.ReadContentRequest, stream content.Content_ReadServer) error {
	s.reads.Add(1)
	blob, ok := s.blobs[r.Digest]
	if !ok {
		return status.Error(codes.NotFound, r.Digest)
	}
	middle := len(blob) / 2
	for _, part := range [][]byte{blob[:middle], blob[middle:]} {
		if err := stream.Send(&content.ReadContentResponse{Data: part}); err != nil {
			return err
		}
	}
	return nil
}

type containersServer struct {
	containers.UnimplementedContainersServer
	*fake
}

func (s containersServer) List(context.Context, *containers.ListContainersRequest) (*containers.ListContainersResponse, error) {
	return &containers.ListContainersResponse{Containers: s.containers}, nil
}

type tasksServer struct {
	tasks.UnimplementedTasksServer
	*fake
}

func (s tasksServer) List(context.Context, *tasks.ListTasksRequest) (*tasks.ListTasksResponse, error) {
	return &tasks.ListTasksResponse{Tasks: s.tasks}, nil
}

type transferServer struct {
	transferapi.UnimplementedTransferServer
	*fake
}

func (s transferServer) Transfer(_ context.Context, r *transferapi.TransferRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, s.transfer(r, func(id string) openedStream {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.streams[id]
	})
}

type streamingServer struct {
	streaming.UnimplementedStreamingServer
	*fake
}

// Stream keeps the stream for whoever is told its name, and says so.
func (s streamingServer) Stream(stream streaming.Streaming_StreamServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	var named streaming.StreamInit
	if err := first.UnmarshalTo(&named); err != nil || first.TypeUrl != "containerd.services.streaming.v1.StreamInit" {
		return status.Errorf(codes.InvalidArgument, "a stream begins with a %s: %v", first.TypeUrl, err)
	}
	ctx, end := context.WithCancel(stream.Context())
	defer end()
	s.mu.Lock()
	s.streams[named.ID] = openedStream{stream, end}
	s.mu.Unlock()
	if err := stream.Send(&anypb.Any{}); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
