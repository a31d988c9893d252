// SPDX-License-Identifier: Apache-2.0

package dhcp6

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/dhcpv6/nclient6"

	"dodeka/userland/internal/leasing"
)

var allServers = nclient6.AllDHCPRelayAgentsAndServers // of the link: ff02::1:2

const (
	longestPause = 2 * time.Minute
	shortestWait = 10 * time.Second
)

// Exchanger is an open socket. SendAndRead repeats a message until an answer matches or its tries are used up.
type Exchanger interface {
	SendAndRead(ctx context.Context, dest *net.UDPAddr, m *dhcpv6.Message, match nclient6.Matcher) (*dhcpv6.Message, error)
	Close() error
}

// Lease is an answer in use.
type Lease struct {
	Config
	Reply *dhcpv6.Message
	At    time.Time
}

// Client is what is particular to a link. Report is as in leasing.Keeper.
type Client struct {
	MAC      net.HardwareAddr
	DUID     dhcpv6.DUID
	Previous *Lease // confirmed first, as after a cable was pulled and put back
	Open     func() (Exchanger, error)
	Report   func(*Lease)
	Log      func(text string)
}

// Run returns when the context ends.
func (c *Client) Run(ctx context.Context) {
	leasing.Keeper[Lease]{
		Acquire: c.acquire, Extend: c.extend, Times: timesOf, Report: c.Report, LongestPause: longestPause, ShortestWait: shortestWait,
		Log: func(text string) { c.Log("DHCPv6: " + text) },
	}.Run(ctx, c.confirm(ctx))
}

func timesOf(l *Lease) leasing.Times {
	if l.Renew == 0 {
		return leasing.Times{}
	}
	t := leasing.Times{Renew: l.At.Add(l.Renew), Rebind: l.At.Add(l.Rebind), End: l.At.Add(l.Lifetime)}
	if l.Lifetime == 0 {
		t.End = t.Rebind.Add(24 * time.Hour) // an address for ever, with others that end: ask, and then start over
	}
	return t
}

// confirm asks any server whether a lease from before is good on the network that the link leads to now (RFC 8415 section
// 18.2.12). Anything but a yes gives it up: nobody would end it when its time is over.
func (c *Client) confirm(ctx context.Context) *Lease {
	if c.Previous == nil {
		return nil
	}
	held, err := c.extend(ctx, c.Previous, true)
	if err == nil {
		return held
	}
	if ctx.Err() == nil {
		c.Report(nil)
	}
	return nil
}

// acquire does the exchange of four messages (RFC 8415 section 18.2.1 and .2).
func (c *Client) acquire(ctx context.Context) (*Lease, error) {
	socket, err := c.Open()
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	solicit, err := c.message(dhcpv6.MessageTypeSolicit, nil)
	if err != nil {
		return nil, err
	}
	advertise, err := socket.SendAndRead(ctx, allServers, solicit, c.offers)
	if err != nil {
		return nil, fmt.Errorf("no offer: %w", err)
	}
	request, err := c.message(dhcpv6.MessageTypeRequest, advertise)
	if err != nil {
		return nil, err
	}
	return c.exchange(ctx, socket, request)
}

// offers passes over offers without an address, so that such a server does not hide a good one (RFC 8415 section 18.2.9).
func (c *Client) offers(m *dhcpv6.Message) bool {
	association := m.Options.OneIANA()
	return m.MessageType == dhcpv6.MessageTypeAdvertise && c.mine(m) && association != nil && len(association.Options.Addresses()) > 0
}

// mine accepts only answers to this machine, from a server that names itself (RFC 8415 section 16.3 and 16.10).
func (c *Client) mine(m *dhcpv6.Message) bool {
	id := m.Options.ClientID()
	return id != nil && id.Equal(c.DUID) && m.Options.ServerID() != nil
}

func (c *Client) exchange(ctx context.Context, socket Exchanger, message *dhcpv6.Message) (*Lease, error) {
	at := time.Now()
	reply, err := socket.SendAndRead(ctx, allServers, message, func(m *dhcpv6.Message) bool {
		return m.MessageType == dhcpv6.MessageTypeReply && c.mine(m)
	})
	if err != nil {
		return nil, fmt.Errorf("no answer: %w", err)
	}
	config, err := fromReply(reply)
	if err != nil {
		return nil, err
	}
	return &Lease{Config: config, Reply: reply, At: at}, nil
}

// extend asks the server that gave the lease, or, when rebinding, any server.
func (c *Client) extend(ctx context.Context, held *Lease, rebinding bool) (*Lease, error) {
	kind := dhcpv6.MessageTypeRenew
	if rebinding {
		kind = dhcpv6.MessageTypeRebind
	}
	message, err := c.message(kind, held.Reply)
	if err != nil {
		return nil, err
	}
	socket, err := c.Open()
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	return c.exchange(ctx, socket, message)
}
