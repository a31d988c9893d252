// SPDX-License-Identifier: Apache-2.0

// Package dhcp6 holds a DHCPv6 lease on one link for as long as its context lives: one identity association for
// non-temporary addresses (IA_NA), resolvers, search domains and time servers. Routes come from router advertisements.
// Spec: RFC 8415, RFC 3646, RFC 5908. Left out: prefix delegation, temporary addresses, rapid commit, reconfigure,
// and release at the end.
package dhcp6

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"

	"dodeka/userland/internal/hostfiles"
	"dodeka/userland/internal/lease"
)

// Bounds of what a server can make the machine do; the server is anyone on the link.
const (
	maxAddresses   = 8
	maxResolvers   = 3 // resolv.conf(5) MAXNS
	maxTimeServers = 4
	maxSearch      = 6
	shortestLease  = 30 * time.Second
	infinite       = 0xffffffff * time.Second // RFC 8415 section 7.7
)

// Address is one of the lease's, alone in its network: on-link prefixes are the routers' to tell.
type Address struct {
	Address          netip.Addr
	Preferred, Valid time.Duration // 0: for ever
}

// Config is a checked answer. Times count from the moment the answer was asked for.
type Config struct {
	Addresses []Address
	Resolvers []netip.Addr
	Search    []string
	Times     []netip.Addr
	Renew     time.Duration // T1; 0: never
	Rebind    time.Duration // T2
	Lifetime  time.Duration // of the address that lasts longest; 0: for ever
}

var errNoAddress = errors.New("the answer has no usable address")

// fromReply checks a REPLY. What the machine cannot live without makes an error; what is merely nonsense is left out.
func fromReply(reply *dhcpv6.Message) (Config, error) {
	var c Config
	if reply.MessageType != dhcpv6.MessageTypeReply {
		return c, fmt.Errorf("the answer is %s, expected REPLY", reply.MessageType)
	}
	if status := reply.Options.Status(); status != nil && status.StatusCode != iana.StatusSuccess {
		return c, fmt.Errorf("the server says %s", status.StatusCode)
	}
	association := reply.Options.OneIANA()
	if association == nil {
		return c, errNoAddress
	}
	if status := association.Options.Status(); status != nil && status.StatusCode != iana.StatusSuccess {
		return c, fmt.Errorf("the server says %s", status.StatusCode)
	}
	for _, a := range association.Options.Addresses() {
		c.add(a)
	}
	if len(c.Addresses) == 0 {
		return c, errNoAddress
	}
	c.setTimes(association.T1, association.T2)
	c.Resolvers = hosts(reply.Options.DNS(), maxResolvers)
	c.Times = hosts(slices.Concat(reply.Options.NTPServers(), reply.Options.SNTP()), maxTimeServers)
	if labels := reply.Options.DomainSearchList(); labels != nil {
		for _, name := range labels.Labels {
			if hostfiles.ValidName(name) && len(c.Search) < maxSearch && !slices.Contains(c.Search, name) {
				c.Search = append(c.Search, name)
			}
		}
	}
	return c, nil
}

// add takes an address over when a host can have it and its times make sense (RFC 8415 section 21.6).
func (c *Config) add(option *dhcpv6.OptIAAddress) {
	addr, ok := host(option.IPv6Addr)
	valid, preferred := option.ValidLifetime, option.PreferredLifetime
	if !ok || len(c.Addresses) == maxAddresses || valid < shortestLease || preferred > valid {
		return
	}
	if status := option.Options.Status(); status != nil && status.StatusCode != iana.StatusSuccess {
		return
	}
	if slices.ContainsFunc(c.Addresses, func(a Address) bool { return a.Address == addr }) {
		return
	}
	if valid >= infinite {
		valid = 0
	}
	if preferred >= infinite {
		preferred = 0
	}
	c.Addresses = append(c.Addresses, Address{Address: addr, Preferred: preferred, Valid: valid})
}

// setTimes takes the server's T1 and T2, or the usual parts of the shortest preferred time (RFC 8415 section 14.2).
func (c *Config) setTimes(renew, rebind time.Duration) {
	shortest := time.Duration(0)
	for i, a := range c.Addresses {
		if a.Valid == 0 || (i > 0 && c.Lifetime == 0) {
			c.Lifetime = 0
		} else {
			c.Lifetime = max(c.Lifetime, a.Valid)
		}
		if base := basis(a); base > 0 && (shortest == 0 || base < shortest) {
			shortest = base
		}
	}
	if shortest == 0 {
		return // nothing ends
	}
	c.Renew, c.Rebind = renew, rebind
	if renew < shortestLease/3 || rebind <= renew || rebind > shortest {
		c.Renew, c.Rebind = shortest/2, shortest/5*4
	}
}

func basis(a Address) time.Duration {
	if a.Preferred >= shortestLease {
		return a.Preferred
	}
	return a.Valid
}

func hosts(ips []net.IP, limit int) []netip.Addr {
	var found []netip.Addr
	for _, ip := range ips {
		if addr, ok := host(ip); ok && len(found) < limit && !slices.Contains(found, addr) {
			found = append(found, addr)
		}
	}
	return found
}

// host accepts addresses that one host on a network can have, and that mean the same on every link.
func host(ip net.IP) (netip.Addr, bool) {
	addr, ok := netip.AddrFromSlice(ip)
	return addr, ok && addr.Is6() && !addr.Is4In6() && addr.IsGlobalUnicast()
}

// decode reads a packet. A panic of the decoder becomes an error: the packet came from anyone on the network.
func decode(packet []byte) (message *dhcpv6.Message, err error) {
	defer func() {
		if recover() != nil {
			message, err = nil, lease.ErrDamaged
		}
	}()
	return dhcpv6.MessageFromBytes(packet)
}
