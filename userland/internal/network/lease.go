// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net/netip"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/nethelpers"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"

	"dodeka/userland/internal/dhcp4"
	"dodeka/userland/internal/dhcp6"
)

// Lease is what a DHCP client brings, of either version.
type Lease struct {
	Link      string
	Addresses []Address
	Routes    []network.RouteSpecSpec
	Resolvers []netip.Addr
	Search    []string
	Hostname  string
	Domain    string
	Times     []netip.Addr
	MTU       uint32 // 0: leave as it is
}

func leaseOf4(spec network.OperatorSpecSpec, held *dhcp4.Lease) Lease {
	l := Lease{
		Link: spec.LinkName, Resolvers: held.Resolvers, Domain: held.Domain, Times: held.Times, MTU: uint32(held.MTU),
		Addresses: []Address{{AddressSpecSpec: network.AddressSpecSpec{
			Address: held.Address, LinkName: spec.LinkName, Family: nethelpers.FamilyInet4, Scope: nethelpers.ScopeGlobal,
			ConfigLayer: network.ConfigOperator,
		}, Valid: held.Until(), Preferred: held.Until()}},
	}
	if !spec.DHCP4.SkipHostnameRequest {
		l.Hostname = held.Hostname
	}
	if held.Domain != "" {
		l.Search = []string{held.Domain}
	}
	for _, r := range held.Routes {
		l.Routes = append(l.Routes, routeOf4(spec, held.Address.Addr(), r.Destination, r.Gateway))
	}
	return l
}

func routeOf4(spec network.OperatorSpecSpec, source netip.Addr, destination netip.Prefix, gateway netip.Addr) network.RouteSpecSpec {
	r := network.RouteSpecSpec{
		Family: nethelpers.FamilyInet4, Destination: destination, Gateway: gateway, Source: source, OutLinkName: spec.LinkName,
		Table: nethelpers.TableMain, Priority: spec.DHCP4.RouteMetric, Type: nethelpers.TypeUnicast, Protocol: nethelpers.ProtocolDHCP,
		Scope: nethelpers.ScopeGlobal, ConfigLayer: network.ConfigOperator,
	}
	if destination.Bits() == 0 {
		r.Destination = netip.Prefix{}
	}
	if !gateway.IsValid() {
		r.Scope = nethelpers.ScopeLink
	}
	return r
}

func leaseOf6(spec network.OperatorSpecSpec, held *dhcp6.Lease) Lease {
	l := Lease{Link: spec.LinkName, Resolvers: held.Resolvers, Search: held.Search, Times: held.Times}
	for _, a := range held.Addresses {
		l.Addresses = append(l.Addresses, Address{
			AddressSpecSpec: network.AddressSpecSpec{
				Address: netip.PrefixFrom(a.Address, a.Address.BitLen()), LinkName: spec.LinkName, Family: nethelpers.FamilyInet6,
				Scope: nethelpers.ScopeGlobal, ConfigLayer: network.ConfigOperator,
			},
			Valid: after(held.At, a.Valid), Preferred: after(held.At, a.Preferred),
		})
	}
	return l
}

// after keeps zero, which means for ever.
func after(at time.Time, d time.Duration) time.Time {
	if d == 0 {
		return time.Time{}
	}
	return at.Add(d)
}
