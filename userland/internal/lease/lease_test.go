// SPDX-License-Identifier: Apache-2.0

package lease

import (
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// ack is what QEMU's user network answers; options replace or add to it.
func ack(options ...dhcpv4.Option) *dhcpv4.DHCPv4 {
	message, err := dhcpv4.New(
		dhcpv4.WithMessageType(dhcpv4.MessageTypeAck),
		dhcpv4.WithYourIP(net.IPv4(10, 0, 2, 15)),
		dhcpv4.WithNetmask(net.CIDRMask(24, 32)),
		dhcpv4.WithRouter(net.IPv4(10, 0, 2, 2)),
		dhcpv4.WithDNS(net.IPv4(10, 0, 2, 3)),
		dhcpv4.WithLeaseTime(86400),
	)
	if err != nil {
		panic(err)
	}
	for _, o := range options {
		message.UpdateOption(o)
	}
	return message
}

func base() Config {
	return Config{
		Address:   netip.MustParsePrefix("10.0.2.15/24"),
		Routes:    []Route{{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr("10.0.2.2")}},
		Resolvers: []netip.Addr{netip.MustParseAddr("10.0.2.3")},
		Lifetime:  24 * time.Hour, Renew: 12 * time.Hour, Rebind: 21 * time.Hour,
	}
}

func raw(code dhcpv4.OptionCode, bytes ...byte) dhcpv4.Option { return dhcpv4.OptGeneric(code, bytes) }

func TestFromAck(t *testing.T) {
	far := net.IPv4(192, 0, 2, 1)
	tests := []struct {
		name    string
		options []dhcpv4.Option
		change  func(*Config)
	}{
		{"plain", nil, func(*Config) {}},
		{"names", []dhcpv4.Option{dhcpv4.OptHostName("node-1"), dhcpv4.OptDomainName("example.org")},
			func(c *Config) { c.Hostname, c.Domain = "node-1", "example.org" }},
		{"names that would break a file", []dhcpv4.Option{dhcpv4.OptHostName("a b"), dhcpv4.OptDomainName("x\nnameserver 6.6.6.6")},
			func(*Config) {}},
		{"classless routes win", []dhcpv4.Option{dhcpv4.OptClasslessStaticRoute(
			&dhcpv4.Route{Dest: &net.IPNet{IP: net.IPv4(0, 0, 0, 0).To4(), Mask: net.CIDRMask(0, 32)}, Router: far})},
			func(c *Config) { c.Routes[0].Gateway = netip.MustParseAddr("192.0.2.1") }},
		{"no router", []dhcpv4.Option{raw(dhcpv4.OptionRouter)}, func(c *Config) { c.Routes = nil }},
		{"multicast router", []dhcpv4.Option{dhcpv4.OptRouter(net.IPv4(224, 0, 0, 1))}, func(c *Config) { c.Routes = nil }},
		{"four resolvers", []dhcpv4.Option{dhcpv4.OptDNS(far, far, net.IPv4(127, 0, 0, 1), net.IPv4(1, 1, 1, 1), net.IPv4(9, 9, 9, 9), net.IPv4(8, 8, 8, 8))},
			func(c *Config) {
				c.Resolvers = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("1.1.1.1"), netip.MustParseAddr("9.9.9.9")}
			}},
		{"time servers", []dhcpv4.Option{dhcpv4.OptNTPServers(far, net.IPv4bcast, far)},
			func(c *Config) { c.Times = []netip.Addr{netip.MustParseAddr("192.0.2.1")} }},
		{"MTU", []dhcpv4.Option{raw(dhcpv4.OptionInterfaceMTU, 0x23, 0x28)}, func(c *Config) { c.MTU = 9000 }},
		{"MTU too small", []dhcpv4.Option{raw(dhcpv4.OptionInterfaceMTU, 0, 68)}, func(*Config) {}},
		{"for ever", []dhcpv4.Option{raw(dhcpv4.OptionIPAddressLeaseTime, 255, 255, 255, 255)},
			func(c *Config) { c.Lifetime, c.Renew, c.Rebind = 0, 0, 0 }},
		{"own times", []dhcpv4.Option{dhcpv4.OptRenewTimeValue(time.Hour), dhcpv4.OptRebindingTimeValue(2 * time.Hour)},
			func(c *Config) { c.Renew, c.Rebind = time.Hour, 2*time.Hour }},
		{"times in the wrong order", []dhcpv4.Option{dhcpv4.OptRenewTimeValue(3 * time.Hour), dhcpv4.OptRebindingTimeValue(2 * time.Hour)},
			func(*Config) {}},
		{"no mask", []dhcpv4.Option{raw(dhcpv4.OptionSubnetMask)}, func(c *Config) { c.Address = netip.MustParsePrefix("10.0.2.15/8") }},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			want := base()
			tc.change(&want)
			got, err := FromAck(ack(tc.options...))
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v, %v\nwant %+v", got, err, want)
			}
		})
	}
}

func TestFromAckRefuses(t *testing.T) {
	withIP := func(ip net.IP) *dhcpv4.DHCPv4 { m := ack(); m.YourIPAddr = ip; return m }
	tests := []struct {
		name    string
		message *dhcpv4.DHCPv4
		want    string
	}{
		{"an offer", ack(dhcpv4.OptMessageType(dhcpv4.MessageTypeOffer)), "expected ACK"},
		{"no address", withIP(net.IPv4zero), "not a host's address"},
		{"loopback", withIP(net.IPv4(127, 0, 0, 1)), "not a host's address"},
		{"multicast", withIP(net.IPv4(224, 0, 0, 5)), "not a host's address"},
		{"broadcast", withIP(net.IPv4bcast), "not a host's address"},
		{"mask with a hole", ack(raw(dhcpv4.OptionSubnetMask, 255, 0, 255, 0)), "subnet mask"},
		{"empty mask", ack(raw(dhcpv4.OptionSubnetMask, 0, 0, 0, 0)), "subnet mask"},
		{"lease of a second", ack(raw(dhcpv4.OptionIPAddressLeaseTime, 0, 0, 0, 1)), "expected at least 30s"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := FromAck(tc.message); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func FuzzFromAck(f *testing.F) {
	f.Add(ack(dhcpv4.OptHostName("a"), raw(dhcpv4.OptionClasslessStaticRoute, 24, 10, 0, 0, 10, 0, 2, 2)).ToBytes())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, packet []byte) {
		message, err := Decode(packet)
		if err != nil {
			return
		}
		c, err := FromAck(message)
		if err != nil {
			return
		}
		if !c.Address.IsValid() || c.Address.Bits() < 1 || len(c.Resolvers) > maxResolvers || len(c.Times) > maxTimeServers || len(c.Routes) > maxRoutes {
			t.Fatalf("accepted %+v", c)
		}
		if strings.ContainsAny(c.Hostname+c.Domain, " \n#\x00") {
			t.Fatalf("accepted the names %q and %q", c.Hostname, c.Domain)
		}
		if c.Lifetime != 0 && (c.Renew < 10*time.Second || c.Renew >= c.Rebind || c.Rebind >= c.Lifetime) {
			t.Fatalf("accepted the times %s, %s, %s", c.Renew, c.Rebind, c.Lifetime)
		}
	})
}
