// SPDX-License-Identifier: Apache-2.0

package main

import (
	"sync"
	"time"
)

// Calls that one address may make: burst at once, then one in each interval. A node needs one in half a day.
const (
	burst        = 10
	interval     = time.Second
	maxAddresses = 4096
)

// limits is a bucket of calls for each address. When there are too many addresses, those that the table has no room
// for share one bucket, so that memory stays bounded and nodes that are known are not locked out.
type limits struct {
	now    func() time.Time
	mu     sync.Mutex
	debts  map[string]time.Time // until when the calls of an address are paid for
	shared time.Time
}

func newLimits(now func() time.Time) *limits {
	return &limits{now: now, debts: map[string]time.Time{}}
}

// allow counts a call.
func (l *limits) allow(address string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	debt, known := l.debts[address]
	if !known && len(l.debts) >= maxAddresses {
		l.forget(now)
		if len(l.debts) >= maxAddresses {
			var ok bool
			l.shared, ok = pay(l.shared, now)
			return ok
		}
	}
	debt, ok := pay(debt, now)
	l.debts[address] = debt
	return ok
}

// pay adds the price of a call to a debt, unless that would be more than a burst.
func pay(debt, now time.Time) (time.Time, bool) {
	if debt.Before(now) {
		debt = now
	}
	if debt.Sub(now) > (burst-1)*interval {
		return debt, false
	}
	return debt.Add(interval), true
}

// forget drops the addresses without debt.
func (l *limits) forget(now time.Time) {
	for address, debt := range l.debts {
		if debt.Before(now) {
			delete(l.debts, address)
		}
	}
}
