// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"time"

	"dodeka/userland/internal/lease"
	"dodeka/userland/internal/network"
	"dodeka/userland/internal/screen"
)

const (
	leaseWait = 10 * time.Second       // for the first lease; then boot goes on and the network follows
	linkWait  = 500 * time.Millisecond // for a first interface to appear at all
)

// startNetwork starts the interfaces and gives DHCP a chance to answer before the machine calls itself ready.
func startNetwork(s *system) error {
	manager, err := network.Start(context.Background(), network.Events{
		Links: s.showLinks,
		Lease: s.useLease,
		Lost:  func(link string) { s.report("network", s.files.dropLease(link)) },
		Line:  s.out.Line,
		Guard: s.guard,
	})
	if err != nil {
		return err
	}
	s.network = manager
	if manager.WaitLease(linkWait) || manager.Count() == 0 {
		return nil
	}
	if !manager.WaitLease(leaseWait - linkWait) {
		s.out.Line("dodeka: network no lease yet, going on")
	}
	return nil
}

func (s *system) showLinks(links []screen.Link) {
	if !screen.Equal(s.board.Status().Links, links) {
		s.board.Change(func(status *screen.Status) { status.Links = links })
	}
}

func (s *system) useLease(link string, c lease.Config) {
	s.report("network", s.files.setLease(link, c))
	if c.Hostname != "" {
		s.report("hostname", s.takeHostname(c.Hostname))
	}
}

// report puts an error on the console that the machine can live with.
func (s *system) report(what string, err error) {
	if err != nil {
		s.out.Line("dodeka: " + what + ": " + err.Error())
	}
}
