// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"maps"
	"slices"

	"github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/task"
)

// Container is one that containerd keeps, whether it runs or not.
type Container struct {
	ID     string
	Image  string
	Labels map[string]string
	Pid    uint32 // 0: it does not run
	Status task.Status
}

// Containers lists those of a namespace, by ID.
func (c *Client) Containers(ctx context.Context, namespace string) ([]Container, error) {
	ctx = within(ctx, namespace)
	known, err := containers.NewContainersClient(c.conn).List(ctx, &containers.ListContainersRequest{})
	if err != nil {
		return nil, err
	}
	running, err := tasks.NewTasksClient(c.conn).List(ctx, &tasks.ListTasksRequest{})
	if err != nil {
		return nil, err
	}
	all := map[string]Container{}
	for _, container := range known.GetContainers() {
		all[container.GetID()] = Container{ID: container.GetID(), Image: container.GetImage(), Labels: container.GetLabels()}
	}
	for _, process := range running.GetTasks() {
		// Made between the two answers: the next list has it whole.
		if container, isKnown := all[process.GetID()]; isKnown {
			container.Pid, container.Status = process.GetPid(), process.GetStatus()
			all[process.GetID()] = container
		}
	}
	sorted := slices.Sorted(maps.Keys(all))
	list := make([]Container, 0, len(sorted))
	for _, id := range sorted {
		list = append(list, all[id])
	}
	return list, nil
}
