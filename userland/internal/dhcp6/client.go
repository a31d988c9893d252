// SPDX-License-Identifier: Apache-2.0

package dhcp6

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/dhcpv6/nclient6"
)

const (
	firstPause   = time.Second // after a server that does not answer; doubled up to the longest
	longestPause = 2 * time.Minute
	shortestWait = 10 * time.Second // between two tries to renew
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

// Client is what is particular to a link. Report is called with each new or renewed lease and with nil when the lease is
// over; not when the context ends.
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
	c.use(ctx, c.confirm(ctx))
	pause := firstPause
	for ctx.Err() == nil {
		held, err := c.acquire(ctx)
		if err != nil {
			if ctx.Err() == nil {
				c.Log(fmt.Sprintf("DHCPv6: %v; next try in %s", err, pause))
			}
			sleep(ctx, pause)
			pause = min(2*pause, longestPause)
			continue
		}
		pause = firstPause
		c.use(ctx, held)
	}
}

// use reports a lease and those that follow it, until there is none.
func (c *Client) use(ctx context.Context, held *Lease) {
	if held == nil {
		return
	}
	for held != nil && ctx.Err() == nil {
		c.Report(held)
		held = c.hold(ctx, held)
	}
	if ctx.Err() == nil {
		c.Report(nil)
	}
}

// confirm asks any server whether a lease from before is good on the network that the link leads to now (RFC 8415 section
// 18.2.12). Anything but a yes gives it up: nobody would end it when its time is over.
func (c *Client) confirm(ctx context.Context) *Lease {
	if c.Previous == nil {
		return nil
	}
	held, err := c.extend(ctx, c.Previous, dhcpv6.MessageTypeRebind)
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
	advertise, err := socket.SendAndRead(ctx, nil, solicit, func(m *dhcpv6.Message) bool {
		return m.MessageType == dhcpv6.MessageTypeAdvertise && c.mine(m) && m.Options.OneIANA() != nil
	})
	if err != nil {
		return nil, fmt.Errorf("no offer: %w", err)
	}
	request, err := c.message(dhcpv6.MessageTypeRequest, advertise)
	if err != nil {
		return nil, err
	}
	return c.exchange(ctx, socket, request)
}

// mine accepts only answers to this machine, from a server that names itself (RFC 8415 section 16.3 and 16.10).
func (c *Client) mine(m *dhcpv6.Message) bool {
	id := m.Options.ClientID()
	return id != nil && id.Equal(c.DUID) && m.Options.ServerID() != nil
}

func (c *Client) exchange(ctx context.Context, socket Exchanger, message *dhcpv6.Message) (*Lease, error) {
	at := time.Now()
	reply, err := socket.SendAndRead(ctx, nil, message, func(m *dhcpv6.Message) bool {
		return m.MessageType == dhcpv6.MessageTypeReply && c.mine(m)
	})
	if err != nil {
		return nil, fmt.Errorf("no answer: %w", err)
	}
	config, err := FromReply(reply)
	if err != nil {
		return nil, err
	}
	return &Lease{Config: config, Reply: reply, At: at}, nil
}

// hold renews with the same server, then rebinds with any, until the addresses are over: then it returns nil.
func (c *Client) hold(ctx context.Context, held *Lease) *Lease {
	if held.Renew == 0 {
		<-ctx.Done()
		return nil
	}
	rebind := held.At.Add(held.Rebind)
	end := held.At.Add(held.Lifetime)
	if held.Lifetime == 0 {
		end = rebind.Add(24 * time.Hour) // an address for ever, with others that end: ask, and then start over
	}
	sleep(ctx, time.Until(held.At.Add(held.Renew)))
	for ctx.Err() == nil && time.Now().Before(end) {
		kind, mark := dhcpv6.MessageTypeRenew, rebind
		if !time.Now().Before(rebind) {
			kind, mark = dhcpv6.MessageTypeRebind, end
		}
		next, err := c.extend(ctx, held, kind)
		if err == nil {
			return next
		}
		sleep(ctx, min(max(time.Until(mark)/2, shortestWait), time.Until(mark)))
	}
	return nil
}

func (c *Client) extend(ctx context.Context, held *Lease, kind dhcpv6.MessageType) (*Lease, error) {
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

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
