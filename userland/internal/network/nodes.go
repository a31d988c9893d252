// SPDX-License-Identifier: Apache-2.0

package network

import (
	"net/netip"
	"slices"

	"github.com/siderolabs/talos/pkg/machinery/nethelpers"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
)

// nodes are the addresses under which the machine can be reached.
type nodes struct {
	current []netip.Prefix // of links that work now
	all     []netip.Prefix // of links that are down, too
}

// nodeAddresses leaves out what means something on this machine or this link only. IPv4 comes first.
func nodeAddresses(shown Snapshot) nodes {
	var n nodes
	for _, a := range shown.Addresses {
		addr := a.Address.Addr()
		tentative := a.Flags&nethelpers.AddressFlags(nethelpers.AddressTentative|nethelpers.AddressDADFailed) != 0
		if a.Scope >= nethelpers.ScopeLink || !addr.IsGlobalUnicast() || tentative {
			continue
		}
		n.all = append(n.all, a.Address)
		link := shown.Links[a.LinkName]
		if isUp(link) && (!link.Physical() || hasCarrier(link)) {
			n.current = append(n.current, a.Address)
		}
	}
	for _, list := range []*[]netip.Prefix{&n.all, &n.current} {
		slices.SortFunc(*list, comparePrefix)
		*list = slices.Compact(*list)
	}
	return n
}

func comparePrefix(a, b netip.Prefix) int {
	if c := a.Addr().Compare(b.Addr()); c != 0 {
		return c
	}
	return a.Bits() - b.Bits()
}

// hasDefaultRoute tells whether there is a way out of the machine's own networks.
func hasDefaultRoute(shown Snapshot) bool {
	return slices.ContainsFunc(shown.Routes, func(r network.RouteStatusSpec) bool {
		return !r.Destination.IsValid() && r.Gateway.IsValid() && r.Table == nethelpers.TableMain && r.Type == nethelpers.TypeUnicast
	})
}
