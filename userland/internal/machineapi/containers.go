// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"cmp"
	"context"
	"slices"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dodeka/userland/internal/cgroup"
	"dodeka/userland/internal/containerd"
	"dodeka/userland/internal/readout"
)

// Containers implements machine.MachineServiceServer. The services of the system are plain processes here; clients see
// each as a container of the system's namespace, with its process id.
func (a *api) Containers(ctx context.Context, r *machine.ContainersRequest) (*machine.ContainersResponse, error) {
	if r.Namespace == containerd.Kubernetes {
		return a.pods(ctx)
	}
	if err := onlySystem(r.Namespace); err != nil {
		return nil, err
	}
	running, err := safe.StateListAll[*runtime.ServicePID](ctx, a.p.State)
	if err != nil {
		return nil, err
	}
	answer := &machine.Container{}
	for service := range running.All() {
		id := service.Metadata().ID()
		answer.Containers = append(answer.Containers, &machine.ContainerInfo{
			Namespace: constants.SystemContainerdNamespace, Id: id, Name: id, InternalId: id,
			Pid: uint32(service.TypedSpec().PID), Status: "RUNNING",
		})
	}
	return &machine.ContainersResponse{Messages: []*machine.Container{answer}}, nil
}

// pods shows what the kubelet runs, a pod's own container before those in it.
func (a *api) pods(ctx context.Context) (*machine.ContainersResponse, error) {
	client, err := a.p.containers()
	if err != nil {
		return nil, err
	}
	all, err := client.Containers(ctx, containerd.Kubernetes)
	if err != nil {
		return nil, err
	}
	answer := &machine.Container{}
	for _, c := range all {
		pod := c.Labels["io.kubernetes.pod.namespace"] + "/" + c.Labels["io.kubernetes.pod.name"]
		name := c.Labels["io.kubernetes.container.name"] // of a container in it
		id := pod
		if name != "" {
			id = pod + ":" + name
		}
		answer.Containers = append(answer.Containers, &machine.ContainerInfo{
			Namespace: containerd.Kubernetes, Id: id, InternalId: c.ID, Uid: c.Labels["io.kubernetes.pod.uid"],
			Image: c.Image, Pid: c.Pid, Status: c.Status.String(), PodId: pod, Name: cmp.Or(name, c.Labels["io.kubernetes.pod.name"]),
		})
	}
	slices.SortStableFunc(answer.Containers, func(a, b *machine.ContainerInfo) int { return cmp.Compare(a.Id, b.Id) })
	return &machine.ContainersResponse{Messages: []*machine.Container{answer}}, nil
}

// Stats implements machine.MachineServiceServer with the control groups of the services.
func (a *api) Stats(_ context.Context, r *machine.StatsRequest) (*machine.StatsResponse, error) {
	if err := onlySystem(r.Namespace); err != nil {
		return nil, err
	}
	return readout.CgroupStats(a.p.Root, constants.SystemContainerdNamespace, cgroup.System)
}

func onlySystem(namespace string) error {
	if namespace == constants.SystemContainerdNamespace {
		return nil
	}
	return status.Errorf(codes.Unimplemented, "containers in namespace %q: only %q is shown here", namespace, constants.SystemContainerdNamespace)
}
