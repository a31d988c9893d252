// SPDX-License-Identifier: Apache-2.0

package services

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"dodeka/userland/internal/guard"
)

// watchHealth checks until ctx ends. Too many failures in a row go to fail, which ends the run.
func (u *unit) watchHealth(ctx context.Context, h Health, fail func(error)) {
	timer := time.NewTimer(h.Delay)
	defer timer.Stop()
	failures := 0
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		err := checkOnce(ctx, h)
		if ctx.Err() != nil { // the check failed because the service ends
			return
		}
		u.recordHealth(err)
		failures++
		if err == nil {
			failures = 0
		}
		if h.RestartAfter > 0 && failures >= h.RestartAfter {
			fail(&unhealthy{failures, err})
			return
		}
		timer.Reset(h.Period)
	}
}

func checkOnce(ctx context.Context, h Health) error {
	limited, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	return guard.Run(func() error { return h.Check(limited) })
}

// watched runs the service with its health checks. run calls started once the service runs.
func (u *unit) watched(ctx context.Context, d Definition, run func(ctx context.Context, started func()) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var checks sync.WaitGroup
	defer checks.Wait()
	defer cancel(nil)
	err := run(ctx, func() {
		if d.Health != nil {
			checks.Go(func() { u.watchHealth(ctx, *d.Health, cancel) })
		}
	})
	var sick *unhealthy
	if errors.As(context.Cause(ctx), &sick) {
		return sick
	}
	return err
}

// unhealthy ends a run.
type unhealthy struct {
	times int
	last  error
}

func (e *unhealthy) Error() string {
	return fmt.Sprintf("unhealthy %d times in a row: %v", e.times, e.last)
}
