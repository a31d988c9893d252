// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dodeka/userland/internal/cgroup"
	"dodeka/userland/internal/readout"
)

// Containers implements machine.MachineServiceServer. The services of the system are plain processes here; clients see
// each as a container of the system's namespace, with its process id.
func (a *api) Containers(ctx context.Context, r *machine.ContainersRequest) (*machine.ContainersResponse, error) {
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
