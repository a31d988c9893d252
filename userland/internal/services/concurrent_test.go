// SPDX-License-Identifier: Apache-2.0

package services

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
)

// TestOneLifeAtATimeWhateverIsAskedFor has many callers start, stop, restart and replace a service that another depends on.
func TestOneLifeAtATimeWhateverIsAskedFor(t *testing.T) {
	var running, begun, overlaps atomic.Int32
	d := Definition{ID: "a", Operable: true, Run: func(ctx context.Context, log io.Writer) error {
		if running.Add(1) != 1 {
			overlaps.Add(1)
		}
		defer running.Add(-1)
		begun.Add(1)
		fmt.Fprintln(log, "begun")
		<-ctx.Done()
		return nil
	}}
	b := newBench(t, d, Definition{ID: "b", DependsOn: []string{"a"}, Run: untilDone})
	b.start(t, "b")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	asks := []func() error{
		func() error { return b.Start(ctx, "a") },
		func() error { return b.Stop(ctx, "a") },
		func() error { return b.Restart(ctx, "a") },
		func() error { b.List(); return b.Replace(d) },
	}
	var callers sync.WaitGroup
	for i := range 2 * len(asks) {
		callers.Go(func() {
			for range 25 {
				if err := asks[i%len(asks)](); err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	if err := b.Start(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if err := b.WaitUp(ctx, "a", "b"); err != nil {
		t.Fatal(err)
	}
	starts := 0
	for _, e := range b.journal.all() {
		if e == "a RUNNING Started" {
			starts++
		}
	}
	b.lines(t, "a", starts)
	if running.Load() != 1 || overlaps.Load() != 0 || int(begun.Load()) != starts {
		t.Errorf("%d run, %d began beside another, %d of %d starts", running.Load(), overlaps.Load(), begun.Load(), starts)
	}
	if err := b.Stop(ctx, "a"); err != nil || running.Load() != 0 {
		t.Errorf("%d run after the stop, %v", running.Load(), err)
	}
}
