// SPDX-License-Identifier: Apache-2.0

package services

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// StopAll ends every service, those first that others do not depend on, and refuses to start any from then on. What a
// service had left running ends as well.
func (s *Supervisor) StopAll(ctx context.Context) error {
	s.mu.Lock()
	s.ending = true
	s.mu.Unlock()
	units := s.all()
	stopped := map[string]chan struct{}{}
	for _, u := range units {
		stopped[u.id] = make(chan struct{})
	}
	failures := make([]error, len(units))
	var wait sync.WaitGroup
	for i, u := range units {
		wait.Go(func() {
			defer close(stopped[u.id])
			for _, dependent := range units {
				if slices.Contains(dependent.current().DependsOn, u.id) {
					<-stopped[dependent.id] // ends, as there are no circles
				}
			}
			failures[i] = errors.Join(u.stop(ctx), u.clear(ctx))
		})
	}
	wait.Wait()
	return errors.Join(failures...)
}

// missing returns those of the services that are not up, and a channel that is closed when that may have changed.
func (s *Supervisor) missing(ids []string) (missing []string, changed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if u := s.units[id]; u == nil || !u.up() {
			missing = append(missing, id)
		}
	}
	return missing, s.changed
}

// awaitOthers waits for the services that this one depends on.
func (u *unit) awaitOthers(ctx context.Context, ids []string) error {
	before := ""
	for {
		missing, changed := u.supervisor.missing(ids)
		if len(missing) == 0 {
			return nil
		}
		if text := describe(missing); text != before {
			u.record(stateWaiting, "Waiting for "+text)
			before = text
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// reaches tells whether one of the services depends on id, directly or through others. The caller holds the lock.
func (s *Supervisor) reaches(from []string, id string) bool {
	seen := map[string]bool{}
	var visit func(string) bool
	visit = func(at string) bool {
		if at == id {
			return true
		}
		if seen[at] || s.units[at] == nil {
			return false
		}
		seen[at] = true
		return slices.ContainsFunc(s.units[at].current().DependsOn, visit)
	}
	return slices.ContainsFunc(from, visit)
}

func describe(ids []string) string {
	var parts []string
	for _, id := range ids {
		parts = append(parts, fmt.Sprintf("service %q to be \"up\"", id))
	}
	return strings.Join(parts, ", ")
}
