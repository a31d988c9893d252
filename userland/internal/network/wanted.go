// SPDX-License-Identifier: Apache-2.0

package network

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/siderolabs/talos/pkg/machinery/nethelpers"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"

	"dodeka/userland/internal/linkspec"
)

// wanted is the state that the kernel shall be in: the plan, and what the leases add to it.
type wanted struct {
	links     []network.LinkSpecSpec
	addresses map[string]Address
	routes    map[string]network.RouteSpecSpec
	sysctls   map[string]string
}

// leastMTU is what IPv6 needs (RFC 8200 section 5): a lease with less would turn it off.
const leastMTU = 1280

// onLink is RTNH_F_ONLINK: the gateway is a neighbour, though no network of the link holds it.
const onLink nethelpers.RouteFlags = 4

// want merges plan and leases (by operator id). Nothing is taken from the kernel but its addresses, which decide whether a
// gateway is on the link.
func want(plan linkspec.Plan, leases map[string]Lease, shown Snapshot) wanted {
	w := wanted{addresses: map[string]Address{}, routes: map[string]network.RouteSpecSpec{}, sysctls: map[string]string{}}
	mtus := map[string]uint32{}
	for _, a := range plan.Addresses {
		w.addresses[addressKey(a.LinkName, a.Address)] = Address{AddressSpecSpec: a}
	}
	routes := slices.Clone(plan.Routes)
	for _, id := range slices.Sorted(maps.Keys(leases)) {
		held := leases[id]
		for _, a := range held.Addresses {
			if key := addressKey(a.LinkName, a.AddressSpecSpec.Address); w.addresses[key].LinkName == "" {
				w.addresses[key] = a // a static address stays for ever
			}
		}
		routes = append(routes, held.Routes...)
		if held.MTU >= leastMTU {
			mtus[held.Link] = held.MTU
		}
	}
	w.links = slices.Clone(plan.Links)
	for i, l := range w.links {
		if l.MTU == 0 {
			w.links[i].MTU = mtus[l.Name]
		}
		w.sysctl(l)
	}
	for _, r := range routes {
		w.route(r, shown)
	}
	return w
}

// sysctl lets a link learn routers and prefixes from advertisements even when the machine forwards (2), as it will for
// pods; a bond's slave leaves that to the bond.
func (w *wanted) sysctl(l network.LinkSpecSpec) {
	value := "2"
	if l.BondSlave.MasterName != "" {
		value = "0"
	}
	w.sysctls["net/ipv6/conf/"+l.Name+"/accept_ra"] = value
}

// route marks a gateway outside of every known network of the link as on the link: clouds hand out a /32 and a gateway
// beside it. A route of IPv4 waits until its link has an address to send from.
func (w *wanted) route(r network.RouteSpecSpec, shown Snapshot) {
	near, any := false, false
	for _, p := range w.networks(r.OutLinkName, r.Family, shown) {
		any = true
		near = near || p.Contains(r.Gateway)
	}
	if r.Family == nethelpers.FamilyInet4 && !any {
		return
	}
	if r.Gateway.IsValid() && !near && !r.Gateway.IsLinkLocalUnicast() {
		r.Flags |= onLink
	}
	w.routes[routeKey(r)] = r
}

// networks are those that the link has or shall have addresses in.
func (w *wanted) networks(link string, family nethelpers.Family, shown Snapshot) []netip.Prefix {
	var found []netip.Prefix
	for _, a := range w.addresses {
		if a.LinkName == link && a.Family == family {
			found = append(found, a.AddressSpecSpec.Address.Masked())
		}
	}
	for _, a := range shown.Addresses {
		if a.LinkName == link && a.Family == family && family == nethelpers.FamilyInet6 {
			found = append(found, a.Address.Masked()) // SLAAC is the kernel's own
		}
	}
	return found
}
