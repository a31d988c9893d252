// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// TestSubscribeLeavesNoGoroutineBehind fails with a deadlock of its bubble when one waits for ever.
func TestSubscribeLeavesNoGoroutineBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		seen := 0
		subscribe(ctx, cancel, func() { seen++ }, func(updates chan<- int, done <-chan struct{}) error {
			go func() {
				defer close(updates)
				for range 3 {
					updates <- 0
				}
				<-done
				updates <- 0 // one that came as the listener left
			}()
			return nil
		})
		synctest.Wait()
		if seen != 3 {
			t.Errorf("saw %d", seen)
		}
		cancel()
		synctest.Wait()
	})
}

func TestSubscribeEndsTheListenerThatItCannotServe(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	subscribe(ctx, cancel, nil, func(chan<- int, <-chan struct{}) error { return errors.New("no socket") })
	if ctx.Err() == nil {
		t.Error("it listens on")
	}
}
