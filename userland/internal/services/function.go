// SPDX-License-Identifier: Apache-2.0

package services

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dodeka/userland/internal/guard"
)

// errStuck ends a life: what does not end cannot be started again beside itself.
var errStuck = errors.New("did not end when asked to")

// runFunction runs a service that is a function inside PID 1. A function that does not end in time cannot be killed;
// the service has failed then, and the function goes on unwatched.
func (u *unit) runFunction(ctx context.Context, d Definition) error {
	return u.watched(ctx, d, func(ctx context.Context, started func()) error {
		log := u.supervisor.options.Logs.Writer(u.id)
		ended := make(chan error, 1)
		u.recordRunning(0, "Started")
		started()
		go func() {
			defer log.Close()
			ended <- guard.Run(func() error { return d.Run(ctx, log) })
		}()
		select {
		case err := <-ended:
			return err
		case <-ctx.Done():
			u.record(stateStopping, "Stopping")
		}
		select {
		case err := <-ended:
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		case <-time.After(d.StopAfter):
			return fmt.Errorf("%w within %s", errStuck, d.StopAfter)
		}
	})
}
