// SPDX-License-Identifier: Apache-2.0

package services

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	cosi "github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/protobuf/proto"

	"dodeka/userland/internal/cgroup"
	"dodeka/userland/internal/logs"
	"dodeka/userland/internal/reaper"
)

// Errors that callers tell apart.
var (
	ErrUnknown     = errors.New("service does not exist")
	ErrNotOperable = errors.New("service cannot be started, stopped or restarted through the API")
	ErrEnding      = errors.New("the machine is going down")
)

// Publisher takes events; *events.Stream is one.
type Publisher interface {
	Publish(actor string, payload proto.Message)
}

// Backoff is the time between two starts of a service that keeps ending: First, then twice as long each time up to
// Most. It is First again after a run of at least Stable.
type Backoff struct {
	First, Most, Stable time.Duration
}

// Options are what the supervisor works with. Logs, Reaper and Log must be there; without State or Events nothing is
// written there; without Cgroups processes have no group of their own and end by process group.
type Options struct {
	State   cosi.State
	Events  Publisher
	Logs    *logs.Manager
	Cgroups *cgroup.Tree
	Reaper  *reaper.Reaper
	Log     func(format string, arguments ...any)
	Backoff Backoff
}

// Supervisor holds the services. It is safe for concurrent use.
type Supervisor struct {
	options Options

	mu      sync.Mutex
	units   map[string]*unit
	ending  bool
	changed chan struct{} // closed and replaced when any service changes its state or health
}

// New returns a supervisor without services.
func New(o Options) *Supervisor {
	if o.Backoff == (Backoff{}) {
		o.Backoff = Backoff{First: time.Second, Most: 30 * time.Second, Stable: time.Minute}
	}
	return &Supervisor{options: o, units: map[string]*unit{}, changed: make(chan struct{})}
}

// Add makes services known, without starting them. Dependencies may be added later, but not in a circle.
func (s *Supervisor) Add(definitions ...Definition) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range definitions {
		d, err := d.checked()
		if err != nil {
			return err
		}
		if s.units[d.ID] != nil {
			return fmt.Errorf("service %q exists already", d.ID)
		}
		if s.reaches(d.DependsOn, d.ID) {
			return fmt.Errorf("service %q depends on itself", d.ID)
		}
		s.units[d.ID] = newUnit(s, d)
		_ = s.options.Logs.Writer(d.ID).Close() // the log is there, empty, before the service starts
	}
	return nil
}

// Replace gives a service another definition with its next start; Restart brings that about.
func (s *Supervisor) Replace(d Definition) error {
	d, err := d.checked()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.units[d.ID]
	if u == nil {
		return fmt.Errorf("service %q: %w", d.ID, ErrUnknown)
	}
	if s.reaches(d.DependsOn, d.ID) {
		return fmt.Errorf("service %q depends on itself", d.ID)
	}
	u.replace(d)
	return nil
}

// Start starts a service that does not run and returns; what it waits for and how it fares shows in its state.
func (s *Supervisor) Start(ctx context.Context, id string) error {
	u, err := s.unit(id)
	if err != nil {
		return err
	}
	for {
		s.mu.Lock()
		if s.ending {
			s.mu.Unlock()
			return ErrEnding
		}
		fresh, retry := u.claim()
		s.mu.Unlock()
		if fresh != nil {
			u.begin(fresh)
		}
		if retry == nil {
			return nil
		}
		select {
		case <-retry:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Stop ends a service and waits until it has ended. It is not started again, whatever its policy.
func (s *Supervisor) Stop(ctx context.Context, id string) error {
	u, err := s.unit(id)
	if err != nil {
		return err
	}
	return u.stop(ctx)
}

// Restart stops a service if it runs, and starts it.
func (s *Supervisor) Restart(ctx context.Context, id string) error {
	if err := s.Stop(ctx, id); err != nil {
		return err
	}
	return s.Start(ctx, id)
}

// Operable returns the error that an API call about a service deserves: ErrUnknown, ErrNotOperable, or none.
func (s *Supervisor) Operable(id string) error {
	u, err := s.unit(id)
	if err != nil {
		return err
	}
	if !u.current().Operable {
		return fmt.Errorf("service %q: %w", id, ErrNotOperable)
	}
	return nil
}

// List describes every service, by id.
func (s *Supervisor) List() []*machine.ServiceInfo {
	var list []*machine.ServiceInfo
	for _, u := range s.all() {
		list = append(list, u.info())
	}
	return list
}

// WaitUp waits until these services are up.
func (s *Supervisor) WaitUp(ctx context.Context, ids ...string) error {
	for {
		missing, changed := s.missing(ids)
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", describe(missing), ctx.Err())
		}
	}
}

func (s *Supervisor) unit(id string) (*unit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.units[id]; u != nil {
		return u, nil
	}
	return nil, fmt.Errorf("service %.*q: %w", logs.MaxID, id, ErrUnknown)
}

func (s *Supervisor) all() []*unit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.units), func(a, b *unit) int { return cmp.Compare(a.id, b.id) })
}

func (s *Supervisor) notify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}
