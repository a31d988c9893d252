// SPDX-License-Identifier: Apache-2.0

// Package dhcp4 holds a DHCPv4 lease on one link for as long as its context lives.
// Spec: RFC 2131 section 4.4. Left out: probing the address with ARP before use (DHCPDECLINE), DHCPRELEASE.
package dhcp4

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"

	"dodeka/userland/internal/lease"
	"dodeka/userland/internal/leasing"
)

const (
	longestPause = 30 * time.Second
	shortestWait = time.Minute // RFC 2131 section 4.4.5
)

// Exchanger is an open socket. SendAndRead repeats a message until an answer matches or its tries are used up.
type Exchanger interface {
	SendAndRead(ctx context.Context, dest *net.UDPAddr, p *dhcpv4.DHCPv4, match nclient4.Matcher) (*dhcpv4.DHCPv4, error)
	Close() error
}

// Lease is an answer in use.
type Lease struct {
	lease.Config
	Ack *dhcpv4.DHCPv4
	At  time.Time // when it was asked for, which is before the server began to count
}

// Until is the moment at which the address must not be used any more; zero: never.
func (l *Lease) Until() time.Time {
	if l.Lifetime == 0 {
		return time.Time{}
	}
	return l.At.Add(l.Lifetime)
}

// Client is what is particular to a link. Report is as in leasing.Keeper.
type Client struct {
	MAC          net.HardwareAddr
	ID           []byte                                     // option 61 with its type byte; nil: none
	Hostname     func() string                              // what to tell the server; "" tells nothing
	SkipHostname bool                                       // neither tell nor take a host name
	Previous     *Lease                                     // confirmed first, as after a cable was pulled and put back
	Open         func(source netip.Addr) (Exchanger, error) // no valid source: broadcasts, and no address needed
	Report       func(*Lease)
	Log          func(text string)
}

// Run returns when the context ends.
func (c *Client) Run(ctx context.Context) {
	leasing.Keeper[Lease]{
		Acquire: c.acquire, Extend: c.extend, Times: timesOf, Report: c.Report, LongestPause: longestPause, ShortestWait: shortestWait,
		Log: func(text string) { c.Log("DHCP: " + text) },
	}.Run(ctx, c.confirm(ctx))
}

func timesOf(l *Lease) leasing.Times {
	if l.Lifetime == 0 {
		return leasing.Times{}
	}
	return leasing.Times{Renew: l.At.Add(l.Renew), Rebind: l.At.Add(l.Rebind), End: l.Until()}
}

// confirm asks whether a lease from before is good on the network that the link leads to now (RFC 2131 section 4.3.2,
// INIT-REBOOT). Anything but a yes gives it up: on a strange network the address may be somebody else's.
func (c *Client) confirm(ctx context.Context) *Lease {
	if c.Previous == nil {
		return nil
	}
	if until := c.Previous.Until(); until.IsZero() || time.Now().Before(until) {
		address := c.Previous.Ack.YourIPAddr
		held, err := c.request(ctx, netip.Addr{}, c.message(dhcpv4.MessageTypeRequest, dhcpv4.WithBroadcast(true),
			dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(address))), nil)
		if err == nil && held.Ack.YourIPAddr.Equal(address) {
			return held
		}
	}
	if ctx.Err() == nil {
		c.Report(nil)
	}
	return nil
}

// acquire finds a server and takes what it offers (INIT, SELECTING and REQUESTING).
func (c *Client) acquire(ctx context.Context) (*Lease, error) {
	socket, err := c.Open(netip.Addr{})
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	offer, err := socket.SendAndRead(ctx, broadcast(), c.message(dhcpv4.MessageTypeDiscover, dhcpv4.WithBroadcast(true)), plausibleOffer)
	if err != nil {
		return nil, fmt.Errorf("no offer: %w", err)
	}
	request := c.message(dhcpv4.MessageTypeRequest, dhcpv4.WithBroadcast(true),
		dhcpv4.WithTransactionID(offer.TransactionID),
		dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(offer.YourIPAddr)),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(offer.ServerIdentifier())))
	return exchange(ctx, socket, broadcast(), request, offer.ServerIdentifier())
}

// plausibleOffer passes over offers that could not become a lease, so that a broken server does not hide a good one.
func plausibleOffer(m *dhcpv4.DHCPv4) bool {
	return m.MessageType() == dhcpv4.MessageTypeOffer && len(m.ServerIdentifier()) == net.IPv4len &&
		m.YourIPAddr != nil && !m.YourIPAddr.IsUnspecified()
}

// extend asks the server that gave the lease, or, when rebinding, any server.
func (c *Client) extend(ctx context.Context, held *Lease, rebinding bool) (*Lease, error) {
	message := c.message(dhcpv4.MessageTypeRequest, dhcpv4.WithClientIP(held.Ack.YourIPAddr))
	server := held.Ack.ServerIdentifier()
	if rebinding || server == nil {
		return c.request(ctx, netip.Addr{}, message, nil)
	}
	return c.request(ctx, held.Address.Addr(), message, server)
}

// request sends one message from a socket of its own, to a server or to all.
func (c *Client) request(ctx context.Context, source netip.Addr, message *dhcpv4.DHCPv4, server net.IP) (*Lease, error) {
	socket, err := c.Open(source)
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	dest := broadcast()
	if server != nil {
		dest.IP = server
	}
	return exchange(ctx, socket, dest, message, server)
}

// exchange wants an answer of the named server, or of any.
func exchange(ctx context.Context, socket Exchanger, dest *net.UDPAddr, message *dhcpv4.DHCPv4, server net.IP) (*Lease, error) {
	at := time.Now()
	answer, err := socket.SendAndRead(ctx, dest, message, func(m *dhcpv4.DHCPv4) bool {
		final := m.MessageType() == dhcpv4.MessageTypeAck || m.MessageType() == dhcpv4.MessageTypeNak
		return final && (server == nil || m.ServerIdentifier().Equal(server))
	})
	if err != nil {
		return nil, fmt.Errorf("no answer: %w", err)
	}
	if answer.MessageType() == dhcpv4.MessageTypeNak {
		return nil, leasing.ErrRefused // RFC 2131 section 4.4.5: stop using the address at once
	}
	config, err := lease.FromAck(answer)
	if err != nil {
		return nil, err
	}
	return &Lease{Config: config, Ack: answer, At: at}, nil
}

func broadcast() *net.UDPAddr { return &net.UDPAddr{IP: net.IPv4bcast, Port: nclient4.ServerPort} }
