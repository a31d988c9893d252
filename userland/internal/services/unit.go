// SPDX-License-Identifier: Apache-2.0

package services

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"dodeka/userland/internal/guard"
)

// unit is one service. Its life is one goroutine between start and the end of run.
type unit struct {
	supervisor *Supervisor
	id         string

	recording sync.Mutex // keeps history, events and resources in one order

	mu      sync.Mutex
	next    Definition // for the next start
	run     *run       // the life that goes on, or nil
	history history
}

// run is one life of a service, from start to stop.
type run struct {
	ctx    context.Context
	cancel context.CancelFunc
	over   bool          // only the last record is left to be written
	done   chan struct{} // closed after that
}

func newUnit(s *Supervisor, d Definition) *unit {
	return &unit{supervisor: s, id: d.ID, next: d}
}

func (u *unit) current() Definition {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.next
}

func (u *unit) replace(d Definition) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.next = d
}

// claim makes the life that begin is to start. Without one to start it returns the channel to wait for before the
// next try, or nil when the service lives on. The caller holds the supervisor's lock.
func (u *unit) claim() (fresh *run, retry <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.run == nil {
		u.run = &run{done: make(chan struct{})}
		u.run.ctx, u.run.cancel = context.WithCancel(context.Background())
		return u.run, nil
	}
	if u.run.over {
		return nil, u.run.done
	}
	return nil, nil
}

func (u *unit) begin(r *run) {
	u.record(stateStarting, "Starting service")
	go func() {
		defer close(r.done)
		err := guard.Run(func() error { return u.live(r.ctx) })
		r.cancel()
		u.mu.Lock()
		r.over = true
		u.mu.Unlock()
		u.finish(err)
		u.mu.Lock()
		u.run = nil
		u.mu.Unlock()
	}()
}

// stop waits for the end of this life.
func (u *unit) stop(ctx context.Context) error {
	u.mu.Lock()
	r := u.run
	u.mu.Unlock()
	if r == nil {
		return nil
	}
	r.cancel()
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop service %q: %w", u.id, ctx.Err())
	}
}

func (u *unit) finish(err error) {
	switch {
	case err == nil:
		u.record(stateFinished, "Service finished successfully")
	case errors.Is(err, ErrSkip):
		u.record(stateSkipped, "Service skipped")
	default:
		u.record(stateFailed, "Failed: "+err.Error())
	}
}

// live starts the service again and again, as its policy says, until ctx ends.
func (u *unit) live(ctx context.Context) error {
	b := u.supervisor.options.Backoff
	delay := b.First
	for {
		began := time.Now()
		policy := u.current().Restart
		err := u.once(ctx)
		switch {
		case ctx.Err() != nil:
			if errors.Is(err, errStuck) {
				return err
			}
			return nil
		case errors.Is(err, ErrSkip), policy == Once, policy == OnFailure && err == nil:
			return err
		}
		if time.Since(began) >= b.Stable {
			delay = b.First
		}
		u.record(stateWaiting, fmt.Sprintf("%s, starting again in %s", ending(err), delay))
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return nil
		}
		delay = min(2*delay, b.Most)
	}
}

// once is one start, with all that it waits for.
func (u *unit) once(ctx context.Context) error {
	d := u.current()
	if err := u.awaitOthers(ctx, d.DependsOn); err != nil {
		return err
	}
	if d.Condition != nil {
		u.record(stateWaiting, "Waiting for "+cmp.Or(d.Waiting, "its condition"))
		if err := guard.Run(func() error { return d.Condition(ctx) }); err != nil {
			return err
		}
	}
	u.record(statePreparing, "Preparing to run")
	if d.Prepare != nil {
		tell := func(message string) { u.record(statePreparing, message) }
		if err := guard.Run(func() error { return d.Prepare(ctx, tell) }); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.Run != nil {
		return u.runFunction(ctx, d)
	}
	return u.runProcess(ctx, d)
}

func ending(err error) string {
	if err == nil {
		return "Ended"
	}
	return "Failed: " + err.Error()
}
