// SPDX-License-Identifier: Apache-2.0

// Package osstate makes the resource state of the running system: in memory, a history for watchers, every namespace
// and type that clients of the machine API know, and the runtime of the controllers that work on it.
// Nothing here is kept over a reboot; what must be lies on STATE and META.
package osstate

import (
	"context"
	"fmt"

	"github.com/cosi-project/runtime/pkg/controller/runtime"
	"github.com/cosi-project/runtime/pkg/controller/runtime/options"
	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/impl/inmem"
	"github.com/cosi-project/runtime/pkg/state/impl/namespaced"
	"github.com/cosi-project/runtime/pkg/state/registry"
	"github.com/siderolabs/talos/pkg/machinery/resources/cluster"
	"github.com/siderolabs/talos/pkg/machinery/resources/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/cri"
	"github.com/siderolabs/talos/pkg/machinery/resources/etcd"
	"github.com/siderolabs/talos/pkg/machinery/resources/files"
	"github.com/siderolabs/talos/pkg/machinery/resources/hardware"
	"github.com/siderolabs/talos/pkg/machinery/resources/k8s"
	"github.com/siderolabs/talos/pkg/machinery/resources/kubespan"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/perf"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"
	"github.com/siderolabs/talos/pkg/machinery/resources/security"
	"github.com/siderolabs/talos/pkg/machinery/resources/v1alpha1"
	"go.uber.org/zap"
)

// Changes that a type remembers for watchers that resume: few at first, as most types hardly change.
const (
	historyFirst = 8
	historyMost  = 512
)

// OS is the state and the controllers that work on it. Controllers are registered before Runtime.Run.
type OS struct {
	State   state.State
	Runtime *runtime.Runtime
}

type namespace struct {
	id          resource.Namespace
	description string
}

var namespaces = []namespace{
	{v1alpha1.NamespaceName, "Services, boot and machine status"},
	{config.NamespaceName, "Machine configuration"},
	{network.NamespaceName, "Network as it is"},
	{network.ConfigNamespaceName, "Network as it was asked for, by source"},
	{hardware.NamespaceName, "Processors, memory, devices"},
	{files.NamespaceName, "Files that the system writes"},
	{perf.NamespaceName, "Measurements"},
	{secrets.NamespaceName, "Keys and certificates"},
	{security.NamespaceName, "Rules of verification"},
	{cluster.NamespaceName, "Members of the cluster"},
	{cluster.RawNamespaceName, "Members of the cluster, by source"},
	{kubespan.NamespaceName, "Encrypted mesh"},
	{cri.NamespaceName, "Container runtime"},
	{etcd.NamespaceName, "etcd"},
	{k8s.NamespaceName, "Kubernetes, every node"},
	{k8s.ControlPlaneNamespaceName, "Kubernetes, control plane"},
}

// New makes an empty state that knows every namespace and type.
func New(ctx context.Context) (*OS, error) { return NewLogged(ctx, zap.NewNop()) }

// NewLogged is New with a place for what the controllers' runtime reports.
func NewLogged(ctx context.Context, log *zap.Logger) (*OS, error) {
	build := inmem.NewStateWithOptions(inmem.WithHistoryInitialCapacity(historyFirst), inmem.WithHistoryMaxCapacity(historyMost))
	resources := state.WrapCore(namespaced.NewState(func(ns resource.Namespace) state.CoreState { return build(ns) }))
	if err := registerNamespaces(ctx, resources); err != nil {
		return nil, err
	}
	if err := registerTypes(ctx, resources); err != nil {
		return nil, err
	}
	controllers, err := runtime.NewRuntime(resources, log, options.WithMetrics(false))
	if err != nil {
		return nil, fmt.Errorf("controller runtime: %w", err)
	}
	return &OS{State: resources, Runtime: controllers}, nil
}

func registerNamespaces(ctx context.Context, resources state.State) error {
	known := registry.NewNamespaceRegistry(resources)
	if err := known.RegisterDefault(ctx); err != nil {
		return fmt.Errorf("register namespaces: %w", err)
	}
	for _, ns := range namespaces {
		if err := known.Register(ctx, ns.id, ns.description); err != nil {
			return fmt.Errorf("register namespace %s: %w", ns.id, err)
		}
	}
	return nil
}

func registerTypes(ctx context.Context, resources state.State) error {
	known := registry.NewResourceRegistry(resources)
	if err := known.RegisterDefault(ctx); err != nil {
		return fmt.Errorf("register resource types: %w", err)
	}
	for _, t := range types() {
		if err := known.Register(ctx, t); err != nil {
			return fmt.Errorf("register resource type %s: %w", t.ResourceDefinition().Type, err)
		}
	}
	return nil
}
