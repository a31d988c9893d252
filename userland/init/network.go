// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"dodeka/userland/internal/network"
	"dodeka/userland/internal/screen"
	"dodeka/userland/internal/timesync"
)

const (
	leaseWait = 10 * time.Second       // for the first address; then boot goes on and the network follows
	linkWait  = 500 * time.Millisecond // for a first interface to appear at all
)

// startNetwork starts the interfaces and gives DHCP a chance to answer before the machine calls itself ready.
func startNetwork(s *system) error {
	s.network = network.New(network.Options{
		State: s.os.State, Backend: network.NewKernel("/sys", predictableNames(s.text)), Cmdline: s.text, Files: hostFilesDir,
		Log: s.out.Line, Status: s.showNetwork, Go: s.guard, Clock: timesync.System{},
	})
	s.guard("network", func() { s.report("network", s.network.Run(context.Background())) })
	if s.hasAddress(linkWait) || s.network.Physical() == 0 {
		return nil
	}
	if !s.hasAddress(leaseWait - linkWait) {
		s.out.Line("dodeka: network no lease yet, going on")
	}
	return nil
}

// waitForTime gives a time server the chance to answer before workloads start: certificates need the right time. The
// wait is bounded by the configuration, and its end is said by package timesync.
func waitForTime(s *system) error {
	s.network.WaitTime(context.Background())
	return nil
}

// predictableNames is the kernel argument that other systems know as well.
func predictableNames(cmdline string) bool {
	return !slices.Contains(strings.Fields(cmdline), "net.ifnames=0")
}

func (s *system) hasAddress(limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return s.network.WaitReady(ctx) == nil
}

// showNetwork puts what changed on the screen and the consoles.
func (s *system) showNetwork(now network.Status) {
	s.board.Change(func(status *screen.Status) { status.Hostname, status.Links = now.Hostname, now.Links })
}
