// SPDX-License-Identifier: Apache-2.0

// Package machineapi is the gRPC API of the machine, served on a unix socket by PID 1. The services are those of
// Talos' machinery, so that its clients work; the behaviour is our own and lives in other packages, which this one
// reaches through the small interfaces of Parts. Who may call what is decided by package access before a handler runs.
package machineapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	cosi "github.com/cosi-project/runtime/api/v1alpha1"
	"github.com/cosi-project/runtime/pkg/state"
	cosiserver "github.com/cosi-project/runtime/pkg/state/protobuf/server"
	"github.com/siderolabs/talos/pkg/machinery/api/cluster"
	"github.com/siderolabs/talos/pkg/machinery/api/inspect"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/api/storage"
	timeapi "github.com/siderolabs/talos/pkg/machinery/api/time"
	"google.golang.org/grpc"

	"dodeka/userland/internal/access"
)

// Bounds on what a caller can make PID 1 hold. apid bounds messages from the network further.
const (
	requestBytes = 16 << 20
	streamsEach  = 1024 // all of apid's callers share a few connections
	stopWait     = 3 * time.Second
)

// api implements the services. Each group of methods has a file.
type api struct {
	machine.UnimplementedMachineServiceServer
	storage.UnimplementedStorageServiceServer
	timeapi.UnimplementedTimeServiceServer
	inspect.UnimplementedInspectServiceServer
	p Parts
}

// New makes a server that listens nowhere yet.
func New(parts Parts) *grpc.Server {
	trust := parts.Trust
	if trust == nil {
		trust = access.TrustOf
	}
	if parts.Log == nil {
		parts.Log = func(string, ...any) {}
	}
	server := grpc.NewServer(
		grpc.Creds(access.SocketCredentials(trust)),
		grpc.MaxRecvMsgSize(requestBytes), grpc.MaxConcurrentStreams(streamsEach),
		grpc.ChainUnaryInterceptor(unaryAnswers(parts.Log), access.Unary, unaryLog(parts.Log)),
		grpc.ChainStreamInterceptor(streamAnswers(parts.Log), access.Stream, streamLog(parts.Log)),
	)
	a := &api{p: parts}
	machine.RegisterMachineServiceServer(server, a)
	machine.RegisterImageServiceServer(server, imageAPI{p: parts})
	machine.RegisterDebugServiceServer(server, machine.UnimplementedDebugServiceServer{})
	machine.RegisterLifecycleServiceServer(server, lifecycleAPI{p: parts})
	cluster.RegisterClusterServiceServer(server, cluster.UnimplementedClusterServiceServer{})
	storage.RegisterStorageServiceServer(server, a)
	timeapi.RegisterTimeServiceServer(server, a)
	inspect.RegisterInspectServiceServer(server, a)
	filtered := state.WrapCore(state.Filter(parts.State, visible(parts.State)))
	cosi.RegisterStateServer(server, cosiserver.NewState(filtered))
	return server
}

// Serve listens on a socket until ctx ends. Every process may connect; the kernel says who it is.
func Serve(ctx context.Context, server *grpc.Server, socket string) error {
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		return err
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("machine API: %w", err)
	}
	if err := os.Chmod(socket, 0o666); err != nil {
		return err
	}
	stopped := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(stopWait, server.Stop)
		defer timer.Stop()
		server.GracefulStop()
	})
	defer stopped()
	return server.Serve(listener)
}
