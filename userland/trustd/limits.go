// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"sync"
	"time"
)

// Calls that one host may make: burst at once, then one in each interval. A node needs one in half a day.
const (
	burst    = 10
	interval = time.Second
	maxHosts = 4096
)

// limits is a bucket of calls for each host. When there are too many hosts, those that the table has no room for share
// one bucket, so that memory stays bounded and nodes that are known are not locked out.
type limits struct {
	now    func() time.Time
	mu     sync.Mutex
	debts  map[netip.Addr]time.Time // until when the calls of a host are paid for
	shared time.Time
}

func newLimits(now func() time.Time) *limits {
	return &limits{now: now, debts: map[netip.Addr]time.Time{}}
}

// allow counts a call.
func (l *limits) allow(host netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	debt, known := l.debts[host]
	if !known && len(l.debts) >= maxHosts {
		l.forget(now)
		if len(l.debts) >= maxHosts {
			var ok bool
			l.shared, ok = pay(l.shared, now)
			return ok
		}
	}
	debt, ok := pay(debt, now)
	l.debts[host] = debt
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

// forget drops the hosts without debt.
func (l *limits) forget(now time.Time) {
	for host, debt := range l.debts {
		if debt.Before(now) {
			delete(l.debts, host)
		}
	}
}
