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
	"dodeka/userland/internal/podlogs"
	"dodeka/userland/internal/readout"
)

// Containers implements machine.MachineServiceServer. Most services of the system are plain processes here; clients see
// each as a container of the system's namespace, with its process id, beside those that are containers.
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
	answer.Containers = append(answer.Containers, a.systemContainers(ctx)...)
	return &machine.ContainersResponse{Messages: []*machine.Container{answer}}, nil
}

// systemContainers are none while containerd does not answer.
func (a *api) systemContainers(ctx context.Context) (list []*machine.ContainerInfo) {
	if a.p.Containerd == nil {
		return nil
	}
	all, _ := a.p.Containerd.Containers(ctx, containerd.System)
	for _, c := range all {
		list = append(list, &machine.ContainerInfo{
			Namespace: containerd.System, Id: c.ID, Name: c.ID, InternalId: c.ID, Image: c.Image, Pid: c.Pid, Status: c.Status.String(),
		})
	}
	return list
}

// pods shows what the kubelet runs, a pod's own container before those in it.
func (a *api) pods(ctx context.Context) (*machine.ContainersResponse, error) {
	all, err := a.ofKubernetes(ctx)
	if err != nil {
		return nil, err
	}
	answer := &machine.Container{}
	for _, c := range all {
		labels := labelsOf(c)
		answer.Containers = append(answer.Containers, &machine.ContainerInfo{
			Namespace: containerd.Kubernetes, Id: shownID(labels), InternalId: c.ID, Uid: labels.UID,
			Image: c.Image, Pid: c.Pid, Status: c.Status.String(), PodId: labels.Namespace + "/" + labels.Pod, Name: cmp.Or(labels.Name, labels.Pod),
		})
	}
	slices.SortStableFunc(answer.Containers, func(a, b *machine.ContainerInfo) int { return cmp.Compare(a.Id, b.Id) })
	return &machine.ContainersResponse{Messages: []*machine.Container{answer}}, nil
}

func (a *api) ofKubernetes(ctx context.Context) ([]containerd.Container, error) {
	client, err := a.p.containers()
	if err != nil {
		return nil, err
	}
	return client.Containers(ctx, containerd.Kubernetes)
}

// labelsOf is what the kubelet says of a container; a pod's own one has no name.
func labelsOf(c containerd.Container) podlogs.Container {
	return podlogs.Container{
		Namespace: c.Labels["io.kubernetes.pod.namespace"], Pod: c.Labels["io.kubernetes.pod.name"],
		UID: c.Labels["io.kubernetes.pod.uid"], Name: c.Labels["io.kubernetes.container.name"],
	}
}

// shownID is how clients name a container.
func shownID(c podlogs.Container) string {
	if c.Name == "" {
		return c.Namespace + "/" + c.Pod
	}
	return c.Namespace + "/" + c.Pod + ":" + c.Name
}

// podContainer finds what a client named, by the shown ID or containerd's own. One that runs comes before one that ended.
func (a *api) podContainer(ctx context.Context, id string) (podlogs.Container, error) {
	all, err := a.ofKubernetes(ctx)
	if err != nil {
		return podlogs.Container{}, err
	}
	slices.SortStableFunc(all, func(a, b containerd.Container) int { return cmp.Compare(ended(a), ended(b)) })
	for _, c := range all {
		if labels := labelsOf(c); labels.Name != "" && (c.ID == id || shownID(labels) == id) {
			return labels, nil
		}
	}
	return podlogs.Container{}, status.Errorf(codes.NotFound, "there is no container %q", id)
}

func ended(c containerd.Container) int {
	if c.Pid == 0 {
		return 1
	}
	return 0
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
