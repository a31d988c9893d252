// SPDX-License-Identifier: Apache-2.0

// Package leasing keeps a lease on an address for as long as a context lives: asks for one, renews it with its server,
// rebinds with any, gives it up when told no or when its time is over, and starts again.
// Spec: RFC 2131 section 4.4 and RFC 8415 section 18.2, which agree so far. The messages are dhcp4's and dhcp6's.
package leasing

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const firstPause = time.Second // after a server that does not answer; doubled up to the longest

// ErrRefused is what Extend returns when the server says no: the lease is over at once.
var ErrRefused = errors.New("the server refuses")

// Times of a lease. A zero Renew is a lease for ever.
type Times struct {
	Renew, Rebind, End time.Time
}

// Keeper is one way of asking. Report is called with each new or renewed lease and with nil when the lease is over; it is
// not called when the context ends, as whoever ends it knows what shall become of the address.
type Keeper[L any] struct {
	Acquire      func(context.Context) (*L, error)
	Extend       func(ctx context.Context, held *L, rebinding bool) (*L, error)
	Times        func(*L) Times
	Report       func(*L)
	Log          func(text string)
	LongestPause time.Duration // between two tries to acquire
	ShortestWait time.Duration // between two tries to extend
}

// Run returns when the context ends. It begins with a lease that is held already, or nil.
func (k Keeper[L]) Run(ctx context.Context, held *L) {
	pause := firstPause
	for ctx.Err() == nil {
		if held == nil {
			var err error
			if held, err = k.Acquire(ctx); err != nil {
				if ctx.Err() == nil {
					k.Log(fmt.Sprintf("%v; next try in %s", err, pause))
				}
				sleep(ctx, pause)
				pause = min(2*pause, k.LongestPause)
				continue
			}
		}
		pause = firstPause
		k.Report(held)
		held = k.hold(ctx, held)
		if held == nil && ctx.Err() == nil {
			k.Report(nil)
		}
	}
}

// hold returns the lease that follows, or nil when this one is over. A new address is reported without the old one being
// lost first.
func (k Keeper[L]) hold(ctx context.Context, held *L) *L {
	t := k.Times(held)
	if t.Renew.IsZero() {
		<-ctx.Done()
		return nil
	}
	sleep(ctx, time.Until(t.Renew))
	for ctx.Err() == nil && time.Now().Before(t.End) {
		rebinding, mark := false, t.Rebind
		if !time.Now().Before(t.Rebind) {
			rebinding, mark = true, t.End
		}
		next, err := k.Extend(ctx, held, rebinding)
		if err == nil {
			return next
		}
		if errors.Is(err, ErrRefused) {
			k.Log(err.Error())
			return nil
		}
		sleep(ctx, min(max(time.Until(mark)/2, k.ShortestWait), time.Until(mark)))
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
