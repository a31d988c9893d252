// SPDX-License-Identifier: Apache-2.0

// Package lease turns the answer of a DHCP server into what the machine will use. The answer comes from the network and
// nobody signed it: everything is checked here, once, and later code takes it as it is.
// Spec: RFC 2131, RFC 2132 (options 1, 3, 6, 12, 15, 26, 42, 51, 58, 59), RFC 3442 (option 121).
package lease

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"dodeka/userland/internal/hostfiles"
)

const (
	maxResolvers    = 3   // resolv.conf(5) MAXNS
	maxTimeServers  = 4   // more do not make the clock better
	maxRoutes       = 64  // more than any site has; bounds what a hostile server can make us do
	maxHostname     = 64  // HOST_NAME_MAX
	minMTU          = 576 // RFC 791: every host takes this much
	shortestLease   = 30 * time.Second
	defaultLease    = time.Hour  // when the server names none
	infiniteSeconds = 0xffffffff // RFC 2131 section 3.3
)

// Route leads to Destination by Gateway; one without gateway is on the link.
type Route struct {
	Destination netip.Prefix
	Gateway     netip.Addr
}

// Config is a checked lease. Times count from the moment the answer came.
type Config struct {
	Address   netip.Prefix
	Routes    []Route
	Resolvers []netip.Addr
	Times     []netip.Addr // NTP servers
	Domain    string
	Hostname  string
	MTU       int           // 0: leave as it is
	Lifetime  time.Duration // 0: for ever
	Renew     time.Duration // T1
	Rebind    time.Duration // T2
}

// FromAck checks a DHCPACK. What the machine cannot live without makes an error; an option that is merely nonsense (a
// host name with a space) is left out.
func FromAck(ack *dhcpv4.DHCPv4) (Config, error) {
	var c Config
	if kind := ack.MessageType(); kind != dhcpv4.MessageTypeAck {
		return c, fmt.Errorf("the answer is %s, expected ACK", kind)
	}
	var err error
	if c.Address, err = addressOf(ack); err != nil {
		return c, err
	}
	if err := c.setTimes(ack); err != nil {
		return c, err
	}
	c.Routes = routesOf(ack)
	c.Resolvers = addressesOf(ack.DNS(), maxResolvers)
	c.Times = addressesOf(ack.NTPServers(), maxTimeServers)
	if name := ack.HostName(); len(name) <= maxHostname && hostfiles.ValidName(name) {
		c.Hostname = name
	}
	if name := ack.DomainName(); hostfiles.ValidName(name) {
		c.Domain = name
	}
	if mtu, err := dhcpv4.GetUint16(dhcpv4.OptionInterfaceMTU, ack.Options); err == nil && mtu >= minMTU {
		c.MTU = int(mtu)
	}
	return c, nil
}

// addressesOf returns the first addresses that hosts can have, each once.
func addressesOf(ips []net.IP, limit int) []netip.Addr {
	var found []netip.Addr
	for _, ip := range ips {
		if addr, ok := unicast(ip); ok && len(found) < limit && !slices.Contains(found, addr) {
			found = append(found, addr)
		}
	}
	return found
}

func addressOf(ack *dhcpv4.DHCPv4) (netip.Prefix, error) {
	addr, ok := unicast(ack.YourIPAddr)
	if !ok {
		return netip.Prefix{}, fmt.Errorf("%v is not a host's address", ack.YourIPAddr)
	}
	mask := ack.SubnetMask()
	if mask == nil {
		mask = net.IP(addr.AsSlice()).DefaultMask() // RFC 950: the class decides
	}
	ones, bits := mask.Size()
	if bits != 32 || ones == 0 {
		return netip.Prefix{}, fmt.Errorf("subnet mask %s is not 1 to 32 leading ones", mask)
	}
	return netip.PrefixFrom(addr, ones), nil
}

func (c *Config) setTimes(ack *dhcpv4.DHCPv4) error {
	total := ack.IPAddressLeaseTime(defaultLease)
	if total >= infiniteSeconds*time.Second {
		return nil
	}
	if total < shortestLease {
		return fmt.Errorf("lease of %s, expected at least %s", total, shortestLease)
	}
	c.Lifetime = total
	c.Renew, c.Rebind = ack.IPAddressRenewalTime(total/2), ack.IPAddressRebindingTime(total/8*7)
	if c.Renew < shortestLease/3 || c.Rebind <= c.Renew || c.Rebind >= total {
		c.Renew, c.Rebind = total/2, total/8*7 // RFC 2131 section 4.4.5; dividing first, as 7 times 136 years overflows
	}
	return nil
}

// routesOf prefers classless routes: RFC 3442 says that a client must then ignore the router option.
func routesOf(ack *dhcpv4.DHCPv4) []Route {
	var routes []Route
	for _, r := range ack.ClasslessStaticRoute() {
		destination, ok := prefixOf(r.Dest)
		if !ok || len(routes) == maxRoutes {
			continue
		}
		if r.Router == nil || r.Router.IsUnspecified() {
			routes = append(routes, Route{Destination: destination})
		} else if gateway, ok := unicast(r.Router); ok {
			routes = append(routes, Route{destination, gateway})
		}
	}
	if len(routes) > 0 {
		return routes
	}
	for _, ip := range ack.Router() {
		if gateway, ok := unicast(ip); ok {
			return []Route{{netip.PrefixFrom(netip.IPv4Unspecified(), 0), gateway}}
		}
	}
	return nil
}

func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	addr, ok := netip.AddrFromSlice(n.IP.To4())
	ones, bits := n.Mask.Size()
	return netip.PrefixFrom(addr, ones).Masked(), ok && bits == 32
}

// unicast accepts addresses that one host on a network can have.
func unicast(ip net.IP) (netip.Addr, bool) {
	addr, ok := netip.AddrFromSlice(ip.To4())
	reserved := ok && (addr.As4()[0] == 0 || addr.As4()[0] >= 240) // "this network" and class E
	return addr, ok && !reserved && !addr.IsMulticast() && !addr.IsLoopback()
}

// ErrDamaged is the verdict on a packet that the decoder itself cannot survive.
var ErrDamaged = errors.New("damaged DHCP packet")

// Decode reads a packet. A panic of the decoder becomes an error: the packet came from anyone on the network.
func Decode(packet []byte) (message *dhcpv4.DHCPv4, err error) {
	defer func() {
		if recover() != nil {
			message, err = nil, ErrDamaged
		}
	}()
	return dhcpv4.FromBytes(packet)
}
