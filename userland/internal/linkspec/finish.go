// SPDX-License-Identifier: Apache-2.0

package linkspec

import (
	"cmp"
	"maps"
	"slices"

	"github.com/siderolabs/talos/pkg/machinery/nethelpers"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
)

// finish drops what concerns ignored links and puts everything in order.
func (b *builder) finish() Plan {
	for name := range b.ignored {
		delete(b.links, name)
	}
	ordered := b.order()
	p := b.plan
	p.Links = ordered
	p.Addresses = kept(b, b.addresses, func(a network.AddressSpecSpec) string { return a.LinkName })
	p.Routes = kept(b, b.routes, func(r network.RouteSpecSpec) string { return r.OutLinkName })
	p.Operators = kept(b, b.operators, func(o network.OperatorSpecSpec) string { return o.LinkName })
	p.Ignored = slices.Sorted(maps.Keys(b.ignored))
	return p
}

// kept returns the values in the order of their keys, without those of ignored links and of the slaves of a bond, which
// have no addresses of their own.
func kept[T any](b *builder, values map[string]T, link func(T) string) []T {
	var found []T
	for _, key := range slices.Sorted(maps.Keys(values)) {
		name := link(values[key])
		if b.ignored[name] {
			continue
		}
		if spec, ok := b.links[name]; ok && isSlave(spec) {
			continue
		}
		found = append(found, values[key])
	}
	return found
}

// order sorts by depth (what needs nothing, then what needs that) and by name. A circle is cut and reported.
func (b *builder) order() []network.LinkSpecSpec {
	depths := map[string]int{}
	for name := range b.links {
		depths[name] = b.depth(name, 0)
	}
	var found []network.LinkSpecSpec
	for _, name := range slices.Sorted(maps.Keys(b.links)) {
		if depths[name] > maxDepth {
			b.plan.Problems = append(b.plan.Problems, "link "+name+": its parents form a circle")
			continue
		}
		found = append(found, b.links[name])
	}
	slices.SortStableFunc(found, func(x, y network.LinkSpecSpec) int {
		return cmp.Or(cmp.Compare(depths[x.Name], depths[y.Name]), cmp.Compare(x.Name, y.Name))
	})
	return found
}

// maxDepth is the longest chain of links on links: a VLAN in a VLAN on a bond of a link, and some more.
const maxDepth = 8

func (b *builder) depth(name string, level int) int {
	spec, ok := b.links[name]
	if !ok || level > maxDepth {
		return level
	}
	deepest := level
	for _, needed := range []string{spec.ParentName, spec.BondSlave.MasterName} {
		if needed != "" {
			deepest = max(deepest, b.depth(needed, level+1))
		}
	}
	return deepest
}

// normalRoute fills in what the kernel would, so that wanted and shown routes compare equal. An invalid prefix is the
// default route of the gateway's family.
func normalRoute(spec network.RouteSpecSpec) network.RouteSpecSpec {
	switch {
	case spec.Gateway.IsValid():
		spec.Family = familyOf(spec.Gateway)
	case spec.Destination.IsValid():
		spec.Family = familyOf(spec.Destination.Addr())
	}
	if spec.Destination.IsValid() {
		spec.Destination = spec.Destination.Masked()
		if spec.Destination.Bits() == 0 {
			spec.Family = familyOf(spec.Destination.Addr())
		}
	}
	spec.Normalize()
	if spec.Table == nethelpers.TableUnspec {
		spec.Table = nethelpers.TableMain
	}
	if spec.Priority == 0 {
		spec.Priority = network.DefaultRouteMetric
	}
	if !spec.Gateway.IsValid() {
		spec.Scope = nethelpers.ScopeLink
	}
	if spec.Family == nethelpers.FamilyInet6 {
		spec.Scope = nethelpers.ScopeGlobal // IPv6 routes have no scope of their own
	}
	spec.Type = nethelpers.TypeUnicast
	return spec
}
