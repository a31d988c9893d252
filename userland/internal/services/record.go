// SPDX-License-Identifier: Apache-2.0

package services

import (
	"context"
	"slices"
	"time"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/safe"
	cosi "github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"github.com/siderolabs/talos/pkg/machinery/resources/v1alpha1"
)

const writeLimit = 5 * time.Second

// record notes a new state: in the history, as an event, as a resource, and in the log of PID 1.
func (u *unit) record(s serviceState, message string) {
	u.note(message, func(h *history) {
		if h.state != stateRunning || s != stateRunning {
			h.health = health{since: time.Now()}
		}
		h.state = s
		if s != stateRunning && s != stateStopping {
			h.pid = 0
		}
	})
}

// recordRunning notes that the service runs.
func (u *unit) recordRunning(pid int, message string) {
	u.note(message, func(h *history) {
		h.state, h.pid, h.health = stateRunning, pid, health{since: time.Now()}
	})
}

// recordHealth notes the result of a check when it changes anything, for a service that runs.
func (u *unit) recordHealth(failure error) {
	u.mu.Lock()
	h := u.history
	u.mu.Unlock()
	if h.state != stateRunning || (h.health.known && h.health.good == (failure == nil)) {
		return
	}
	next := health{known: true, good: failure == nil, since: time.Now()}
	message := "Health check successful"
	if failure != nil {
		next.message = failure.Error()
		message = "Health check failed: " + next.message
	}
	u.note(message, func(h *history) { h.health = next })
}

func (u *unit) note(message string, change func(*history)) {
	u.recording.Lock()
	defer u.recording.Unlock()
	u.mu.Lock()
	change(&u.history)
	u.history.push(message)
	h := u.history
	u.mu.Unlock()

	o := u.supervisor.options
	o.Log("service %s %s: %s", u.id, stateNames[h.state], message)
	if o.Events != nil {
		o.Events.Publish("", &machine.ServiceStateEvent{
			Service: u.id, Action: h.state, Message: message, Health: h.health.proto(),
		})
	}
	if o.State != nil {
		if err := u.write(o.State, h); err != nil {
			o.Log("service %s: write its resource: %v", u.id, err)
		}
	}
	u.supervisor.notify()
}

// write keeps the resources of a service as long as it runs, as clients expect it.
func (u *unit) write(resources cosi.State, h history) error {
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	service, process := v1alpha1.NewService(u.id), runtime.NewServicePID(u.id)
	if h.state != stateRunning {
		if err := destroy(ctx, resources, process); err != nil {
			return err
		}
		return destroy(ctx, resources, service)
	}
	if h.pid != 0 {
		err := safe.StateModify(ctx, resources, process, func(r *runtime.ServicePID) error {
			r.TypedSpec().PID = int32(h.pid)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return safe.StateModify(ctx, resources, service, func(r *v1alpha1.Service) error {
		r.TypedSpec().Running = true
		r.TypedSpec().Unknown = !h.health.known
		r.TypedSpec().Healthy = h.health.known && h.health.good
		return nil
	})
}

func destroy(ctx context.Context, resources cosi.State, r resource.Resource) error {
	if err := resources.Destroy(ctx, r.Metadata()); err != nil && !cosi.IsNotFoundError(err) {
		return err
	}
	return nil
}

// info is the answer to who lists services.
func (u *unit) info() *machine.ServiceInfo {
	u.mu.Lock()
	defer u.mu.Unlock()
	return &machine.ServiceInfo{
		Id: u.id, State: stateNames[u.history.state], Health: u.history.health.proto(),
		Events: &machine.ServiceEvents{Events: slices.Clone(u.history.events)},
	}
}

// up tells whether others may rely on the service.
func (u *unit) up() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch u.history.state {
	case stateFinished, stateSkipped:
		return true
	case stateRunning:
		return u.next.Health == nil || u.history.health.good
	}
	return false
}
