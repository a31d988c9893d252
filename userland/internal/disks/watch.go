// SPDX-License-Identifier: Apache-2.0

package disks

import (
	"context"
	"time"

	"github.com/cosi-project/runtime/pkg/state"

	"dodeka/userland/internal/uevent"
)

const (
	settle  = 200 * time.Millisecond // after the last announcement of a burst
	patient = 30 * time.Second       // what a mount changes is announced by nobody
)

// Options of Watch.
type Options struct {
	State state.State
	Sys   string // "/sys"
	Proc  string // "/proc"
	Log   func(format string, args ...any)
}

// Watch publishes the inventory now, whenever disks come, go or change, and on every receipt from refresh (which may be
// nil), until the context ends.
func Watch(ctx context.Context, o Options, refresh <-chan struct{}) error {
	events, err := uevent.Listen()
	if err != nil {
		return err
	}
	defer events.Close()
	changed := make(chan struct{}, 1)
	go announce(ctx, events, changed)
	for {
		inventory, err := Take(o.Sys, o.Proc, true)
		if err == nil {
			err = inventory.Publish(ctx, o.State)
		}
		if err != nil && ctx.Err() == nil {
			o.Log("disks: %v", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-refresh:
		case <-time.After(patient):
		}
	}
}

// announce sends once per burst of events about block devices.
func announce(ctx context.Context, events *uevent.Listener, changed chan<- struct{}) {
	pending := false
	for ctx.Err() == nil {
		wait := time.Second
		if pending {
			wait = settle
		}
		event, err := events.Next(time.Now().Add(wait))
		if err == nil {
			// Closing a device that was open for writing is announced as a change; our own probes only read.
			pending = pending || event.Action == "" || event.Values["SUBSYSTEM"] == "block"
			continue
		}
		if pending {
			select {
			case changed <- struct{}{}:
			default:
			}
			pending = false
		}
	}
}
