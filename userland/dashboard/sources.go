// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cosi-project/runtime/api/v1alpha1"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/protobuf/client"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"dodeka/userland/internal/dashboardview"
)

const (
	again       = time.Second // between tries of a source that ended
	answerLimit = 5 * time.Second
	memoryStep  = 10 * time.Second
)

// sources keep a model true over the machine API, as a reader.
type sources struct {
	model    *model
	machine  machine.MachineServiceClient
	state    state.State
	codeFile string

	kernelShown bool            // of followKernel alone
	logs        map[string]bool // of followServices alone: services whose log is followed
	refresh     chan struct{}   // the services are to be asked for
}

// connect makes the sources for the API on a unix socket. It does not wait for the API to be there.
func connect(socket, codeFile string, m *model) (*sources, *grpc.ClientConn, error) {
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy(),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect, MinConnectTimeout: answerLimit}))
	if err != nil {
		return nil, nil, err
	}
	// A watch that goes on by itself would resume in a history that a restarted API does not have.
	resources := client.NewAdapter(v1alpha1.NewStateClient(conn), client.WithDisableWatchRetry())
	return &sources{
		model: m, machine: machine.NewMachineServiceClient(conn), state: state.WrapCore(resources),
		codeFile: codeFile, refresh: make(chan struct{}, 1), logs: map[string]bool{},
	}, conn, nil
}

// run follows everything until ctx ends. Each source that ends, as all do when the API restarts, is begun again.
func (s *sources) run(ctx context.Context) {
	var wait sync.WaitGroup
	for _, source := range []func(context.Context) error{
		s.followVersion, s.followMemory, s.followServices, s.followEvents, s.followNetwork, s.followStage, s.followKernel, s.followCode,
	} {
		wait.Go(func() { s.keep(ctx, source) })
	}
	wait.Wait()
}

// keep begins a source again and again. What the API does not serve is left alone for good.
func (s *sources) keep(ctx context.Context, source func(context.Context) error) {
	for ctx.Err() == nil {
		err := source(ctx)
		if code := status.Code(err); code == codes.Unimplemented || code == codes.PermissionDenied {
			return
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
		}
	}
}

// followVersion asks for what does not change, and goes on asking to see whether the API answers.
func (s *sources) followVersion(ctx context.Context) error {
	return every(ctx, memoryStep, func(ctx context.Context) error {
		answer, err := s.machine.Version(ctx, &emptypb.Empty{})
		if err != nil || len(answer.Messages) == 0 {
			s.model.change(func(v *dashboardview.View) { v.Problem = "no answer from the machine API" })
			return err
		}
		version, platform := answer.Messages[0].GetVersion(), answer.Messages[0].GetPlatform()
		s.model.change(func(v *dashboardview.View) {
			v.Version, v.Arch, v.Platform, v.Problem = version.GetTag(), version.GetArch(), platform.GetName(), ""
		})
		return nil
	})
}

func (s *sources) followMemory(ctx context.Context) error {
	return every(ctx, memoryStep, func(ctx context.Context) error {
		answer, err := s.machine.Memory(ctx, &emptypb.Empty{})
		if err != nil || len(answer.Messages) == 0 {
			return err
		}
		const kib = 1024 // the unit of /proc/meminfo
		info := answer.Messages[0].GetMeminfo()
		s.model.change(func(v *dashboardview.View) {
			v.MemoryTotal = info.GetMemtotal() * kib
			v.MemoryUsed = v.MemoryTotal - min(v.MemoryTotal, info.GetMemavailable()*kib)
		})
		return nil
	})
}

// followServices asks for the list when an event says that it changed, and now and then.
func (s *sources) followServices(ctx context.Context) error {
	for {
		limited, cancel := context.WithTimeout(ctx, answerLimit)
		answer, err := s.machine.ServiceList(limited, &emptypb.Empty{})
		cancel()
		if err != nil || len(answer.Messages) == 0 {
			return err
		}
		var list []dashboardview.Service
		for _, info := range answer.Messages[0].Services {
			list = append(list, dashboardview.Service{ID: info.Id, State: info.State, Health: healthOf(info.Health)})
			s.followLog(ctx, info.Id)
		}
		s.model.change(func(v *dashboardview.View) { v.Services = list })
		select {
		case <-s.refresh:
		case <-time.After(memoryStep):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func healthOf(h *machine.ServiceHealth) dashboardview.Health {
	switch {
	case h == nil || h.Unknown:
		return dashboardview.Unknown
	case h.Healthy:
		return dashboardview.Healthy
	}
	return dashboardview.Unhealthy
}

// every calls ask at once and then in each interval, each time with a limit.
func every(ctx context.Context, interval time.Duration, ask func(context.Context) error) error {
	for {
		limited, cancel := context.WithTimeout(ctx, answerLimit)
		err := ask(limited)
		cancel()
		if err != nil {
			return fmt.Errorf("ask the machine API: %w", err)
		}
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
