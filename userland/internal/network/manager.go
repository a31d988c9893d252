// SPDX-License-Identifier: Apache-2.0

// Package network keeps the machine's network as it is wanted: it follows the configuration and the platform in the
// state, computes a plan (package linkspec), compares it with what the kernel shows, and applies the difference, again
// whenever one of them changes. DHCP clients run beside it and add their leases to the plan.
// What the kernel shows is written into the state, where the API and everything else on the machine reads it.
package network

import (
	"context"
	"sync"
	"time"

	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"

	"dodeka/userland/internal/linkspec"
	"dodeka/userland/internal/screen"
	"dodeka/userland/internal/timesync"
)

const (
	rescan   = 10 * time.Second      // finds what no notice told of
	calm     = 50 * time.Millisecond // changes come in bursts
	maxRound = 8                     // of actions in a row: a deeper stack of links takes a few
)

// Options of a Manager. Only State and Backend must be given.
type Options struct {
	State   state.State
	Backend Backend
	Cmdline string                        // of the kernel
	Files   string                        // where hostname, hosts and resolv.conf go; "": nowhere
	Log     func(text string)             // a line for the console
	Status  func(Status)                  // after every change of what a person wants to see
	Go      func(name string, run func()) // starts a goroutine; PID 1 catches panics there
	Clock   timesync.Clock                // nil: the clock is left alone
	Query   func(ctx context.Context, server string) (time.Duration, error)
}

// Status is what init shows.
type Status struct {
	Hostname string
	Links    []screen.Link // the physical ones and those that have a configuration
}

// Manager is made by New and runs in Run.
type Manager struct {
	options   Options
	notify    chan struct{}
	ready     chan struct{} // closed when the first address is there
	readyOnce sync.Once
	time      *timesync.Syncer

	mu       sync.Mutex
	leases   map[string]Lease
	config   config.Config
	platform *network.PlatformConfigSpec
	hostname string
	shown    Snapshot

	// What follows is owned by Run.
	looked    bool // at the kernel, once
	owned     owned
	operators map[string]*operator
	failures  map[string]string // what was said about an action that fails
	problems  string
	stable    string // the name of a machine that nobody named
	status    *Status
	publisher publisher
}

// New makes a Manager that has not touched anything yet.
func New(o Options) *Manager {
	if o.Log == nil {
		o.Log = func(string) {}
	}
	if o.Status == nil {
		o.Status = func(Status) {}
	}
	if o.Go == nil {
		o.Go = func(_ string, run func()) { go run() }
	}
	m := &Manager{
		options: o, notify: make(chan struct{}, 1), ready: make(chan struct{}), leases: map[string]Lease{}, owned: newOwned(),
		operators: map[string]*operator{}, failures: map[string]string{}, publisher: publisher{state: o.State, log: o.Log},
	}
	query := o.Query
	if query == nil {
		query = timesync.Ask
	}
	m.time = timesync.New(timesync.Options{Clock: o.Clock, Query: query, Report: m.reportTime,
		Log: func(text string) { o.Log("dodeka: " + text) }})
	return m
}

// Run returns when the context ends; the kernel keeps what it has then.
func (m *Manager) Run(ctx context.Context) error {
	if err := m.follow(ctx); err != nil {
		return err
	}
	m.options.Go("network", func() { m.options.Backend.Watch(ctx, m.poke) })
	if m.options.Clock != nil {
		m.options.Go("time", func() { m.time.Run(ctx) })
	}
	ticker := time.NewTicker(rescan)
	defer ticker.Stop()
	for ctx.Err() == nil {
		m.reconcile(ctx)
		select {
		case <-ctx.Done():
		case <-ticker.C:
		case <-m.notify:
			wait(ctx, calm)
		}
	}
	m.stopOperators()
	return nil
}

// WaitReady returns when the machine has an address that others can reach, or with the context's error.
func (m *Manager) WaitReady(ctx context.Context) error {
	select {
	case <-m.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WaitTime returns true when the clock is right or nobody shall care; false when the bounded time for it is over, which
// has been said on the console by then.
func (m *Manager) WaitTime(ctx context.Context) bool {
	return m.options.Clock == nil || m.time.Wait(ctx)
}

// Physical is the number of physical links that were found.
func (m *Manager) Physical() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	count := 0
	for _, l := range m.shown.Links {
		if l.Physical() {
			count++
		}
	}
	return count
}

// Hostname is the name that the machine has now.
func (m *Manager) Hostname() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.hostname
}

// poke asks for another look, without waiting for it.
func (m *Manager) poke() {
	select {
	case m.notify <- struct{}{}:
	default:
	}
}

func (m *Manager) input(shown Snapshot) (linkspec.Input, map[string]Lease) {
	m.mu.Lock()
	defer m.mu.Unlock()
	leases := make(map[string]Lease, len(m.leases))
	for id, l := range m.leases {
		leases[id] = l
	}
	m.shown = shown
	return linkspec.Input{Config: m.config, Platform: m.platform, Cmdline: m.options.Cmdline, Links: shown.Links}, leases
}

// setLease is called by the operators; nil takes the lease away.
func (m *Manager) setLease(id string, l *Lease) {
	m.mu.Lock()
	if l == nil {
		delete(m.leases, id)
	} else {
		m.leases[id] = *l
	}
	m.mu.Unlock()
	m.poke()
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
