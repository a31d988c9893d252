// SPDX-License-Identifier: Apache-2.0

// Package network brings up the machine's Ethernet interfaces and keeps an IPv4 lease on each. IPv6 addresses come
// from the kernel itself (SLAAC). What the kernel says is what is shown; this package keeps no second truth.
// Spec: rtnetlink(7), RFC 2131 section 4.4. Left out: static addresses, VLANs, bonds; they come with machine
// configuration.
package network

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/vishvananda/netlink"

	"dodeka/userland/internal/lease"
	"dodeka/userland/internal/screen"
	"dodeka/userland/internal/sysfs"
)

// rescan finds interfaces whose announcement was lost.
const rescan = 10 * time.Second

// Events is what the manager tells. Its functions are called one at a time per interface, but by several goroutines.
type Events struct {
	Links func(links []screen.Link)         // something the kernel knows about the interfaces has changed
	Lease func(link string, c lease.Config) // a new or renewed lease was put to use
	Lost  func(link string)                 // the lease of an interface is over
	Line  func(text string)                 // for the console
	Guard func(name string, run func())     // starts a goroutine that must not take PID 1 down
}

// Manager runs until its context ends.
type Manager struct {
	events  Events
	mu      sync.Mutex
	workers map[string]*worker
	first   chan struct{} // closed at the first lease
	once    sync.Once
}

// Start brings up loopback and every Ethernet interface, and returns at once.
func Start(ctx context.Context, events Events) (*Manager, error) {
	m := &Manager{events: events, workers: map[string]*worker{}, first: make(chan struct{})}
	loopback, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(loopback)
	}
	if err != nil {
		return nil, fmt.Errorf("loopback: %w", err)
	}
	links, addresses := make(chan netlink.LinkUpdate, 64), make(chan netlink.AddrUpdate, 64)
	if err := netlink.LinkSubscribe(links, ctx.Done()); err != nil {
		return nil, fmt.Errorf("watch interfaces: %w", err)
	}
	if err := netlink.AddrSubscribe(addresses, ctx.Done()); err != nil {
		return nil, fmt.Errorf("watch addresses: %w", err)
	}
	m.update(ctx)
	events.Guard("network", func() { m.follow(ctx, links, addresses) })
	return m, nil
}

// WaitLease returns true when an interface has a lease, false when the time is over or no interface exists by then.
func (m *Manager) WaitLease(limit time.Duration) bool {
	select {
	case <-m.first:
		return true
	case <-time.After(limit):
		return false
	}
}

// Count is the number of Ethernet interfaces that were found.
func (m *Manager) Count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.workers)
}

func (m *Manager) follow(ctx context.Context, links <-chan netlink.LinkUpdate, addresses <-chan netlink.AddrUpdate) {
	ticker := time.NewTicker(rescan)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-links:
			if !open {
				links = nil // the ticker goes on looking
			}
		case _, open := <-addresses:
			if !open {
				addresses = nil
			}
		case <-ticker.C:
		}
		m.update(ctx)
	}
}

// update starts a worker for each new interface, tells each whether it has a carrier, and reports what there is.
func (m *Manager) update(ctx context.Context) {
	var shown []screen.Link
	for _, name := range sysfs.Ethernets(os.DirFS("/sys")) {
		link, err := netlink.LinkByName(name)
		if err != nil {
			continue // unplugged meanwhile
		}
		w := m.worker(ctx, link)
		carrier := link.Attrs().OperState == netlink.OperUp || link.Attrs().RawFlags&lowerUp != 0
		w.setCarrier(carrier)
		shown = append(shown, describe(link, carrier))
	}
	m.events.Links(shown)
}

// lowerUp is IFF_LOWER_UP: the cable is in.
const lowerUp = 1 << 16

func (m *Manager) worker(ctx context.Context, link netlink.Link) *worker {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := link.Attrs().Name
	w := m.workers[name]
	if w == nil {
		w = &worker{name: name, events: m.events, carrier: make(chan bool, 1), leased: m.leased}
		m.workers[name] = w
		if err := netlink.LinkSetUp(link); err != nil {
			m.events.Line(fmt.Sprintf("dodeka: network %s: %v", name, err))
		}
		m.events.Guard("network", func() { w.run(ctx) })
	}
	return w
}

func (m *Manager) leased() { m.once.Do(func() { close(m.first) }) }

// describe asks the kernel for the addresses and gateways of an interface.
func describe(link netlink.Link, carrier bool) screen.Link {
	shown := screen.Link{Name: link.Attrs().Name, State: "up"}
	addresses, _ := netlink.AddrList(link, netlink.FAMILY_ALL)
	for _, a := range addresses {
		if a.IP.IsGlobalUnicast() {
			shown.Addresses = append(shown.Addresses, a.IPNet.String())
		}
	}
	routes, _ := netlink.RouteList(link, netlink.FAMILY_ALL)
	for _, r := range routes {
		if ones, _ := maskOf(r); ones == 0 && r.Gw != nil {
			shown.Gateways = append(shown.Gateways, r.Gw.String())
		}
	}
	switch {
	case !carrier:
		shown.State = "no carrier"
	case len(shown.Addresses) == 0:
		shown.State = "waiting for an address"
	}
	return shown
}

func maskOf(r netlink.Route) (ones, bits int) {
	if r.Dst == nil {
		return 0, 0
	}
	return r.Dst.Mask.Size()
}
