// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"maps"
	"reflect"
	"slices"

	"github.com/siderolabs/talos/pkg/machinery/nethelpers"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
)

// owned is what this manager has put into the kernel. Only that is ever taken away again: addresses, routes and links of
// the container network and of the kernel itself are left alone.
type owned struct {
	links     map[string]network.LinkSpecSpec // logical ones
	slaves    map[string]bool
	addresses map[string]Address
	routes    map[string]network.RouteSpecSpec
	sysctls   map[string]string // by the index of the link and the path, as a new link starts with the defaults
	mtus      map[string]uint32 // what links had before somebody asked for another
}

func newOwned() owned {
	return owned{
		links: map[string]network.LinkSpecSpec{}, slaves: map[string]bool{}, addresses: map[string]Address{},
		routes: map[string]network.RouteSpecSpec{}, sysctls: map[string]string{}, mtus: map[string]uint32{},
	}
}

// difference lists the actions that lead from what is shown to what is wanted, in an order that the kernel accepts. When
// nothing is to be done it is empty, so doing it all again changes nothing. Renames come alone: everything else speaks of
// the new names.
func difference(w wanted, o owned, shown Snapshot) []Action {
	if actions := renames(shown); len(actions) > 0 {
		return actions
	}
	d := &differ{wanted: w, owned: o, shown: shown}
	d.drops()
	if lo, ok := shown.Links["lo"]; ok && !isUp(lo) {
		d.add(SetUp{"lo", true})
	}
	d.removedLinks()
	for _, spec := range w.links {
		d.link(spec)
	}
	d.puts()
	return d.actions
}

// renames leaves a name alone that is taken, or that two links would have.
func renames(shown Snapshot) []Action {
	count := map[string]int{}
	for _, to := range shown.Renames {
		count[to]++
	}
	var actions []Action
	for _, from := range slices.Sorted(maps.Keys(shown.Renames)) {
		to := shown.Renames[from]
		if _, taken := shown.Links[to]; !taken && count[to] == 1 {
			actions = append(actions, RenameLink{from, to})
		}
	}
	return actions
}

type differ struct {
	wanted  wanted
	owned   owned
	shown   Snapshot
	actions []Action
}

func (d *differ) add(a Action) { d.actions = append(d.actions, a) }

func (d *differ) shownAddresses() map[string]bool {
	found := map[string]bool{}
	for _, a := range d.shown.Addresses {
		found[addressKey(a.LinkName, a.Address)] = true
	}
	return found
}

func (d *differ) shownRoutes() map[string]network.RouteStatusSpec {
	found := map[string]network.RouteStatusSpec{}
	for _, r := range d.shown.Routes {
		found[shownRoute(r)] = r
	}
	return found
}

// drops takes away what was ours and is not wanted any more, routes first: they need the addresses.
func (d *differ) drops() {
	routes, addresses := d.shownRoutes(), d.shownAddresses()
	for _, key := range slices.Sorted(maps.Keys(d.owned.routes)) {
		_, there := routes[key]
		if next, still := d.wanted.routes[key]; there && (!still || changedRoute(d.owned.routes[key], next)) {
			d.add(DropRoute{d.owned.routes[key]})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(d.owned.addresses)) {
		if _, still := d.wanted.addresses[key]; !still && addresses[key] {
			d.add(DropAddress{d.owned.addresses[key].AddressSpecSpec})
		}
	}
}

// changedRoute compares what is no part of the key.
func changedRoute(a, b network.RouteSpecSpec) bool {
	return a.Source != b.Source || a.MTU != b.MTU || a.Flags != b.Flags
}

// removedLinks deletes links that we made and that are gone from the plan or became something else, and frees slaves.
func (d *differ) removedLinks() {
	next := map[string]network.LinkSpecSpec{}
	for _, spec := range d.wanted.links {
		next[spec.Name] = spec
	}
	for _, name := range slices.Sorted(maps.Keys(d.owned.slaves)) {
		if status, there := d.shown.Links[name]; there && status.MasterIndex != 0 && next[name].BondSlave.MasterName == "" {
			d.add(SetMaster{name, ""})
		}
	}
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(d.owned.links))) {
		if _, there := d.shown.Links[name]; !there {
			continue
		}
		if spec, still := next[name]; !still || !sameKind(d.owned.links[name], spec) {
			d.add(DeleteLink{name})
			d.forget(name)
		}
	}
}

// forget lets the rest of the difference see a link as gone, with what the kernel removes along with it.
func (d *differ) forget(name string) {
	index := d.shown.Links[name].Index
	d.shown.Links = maps.Clone(d.shown.Links)
	delete(d.shown.Links, name)
	for other, status := range d.shown.Links {
		if status.MasterIndex == index {
			status.MasterIndex = 0
			d.shown.Links[other] = status
		}
	}
	d.shown.Addresses = slices.DeleteFunc(slices.Clone(d.shown.Addresses), func(a network.AddressStatusSpec) bool { return a.LinkName == name })
	d.shown.Routes = slices.DeleteFunc(slices.Clone(d.shown.Routes), func(r network.RouteStatusSpec) bool { return r.OutLinkName == name })
}

// sameKind tells whether a link can stay. A bond takes most options only while it is down and empty, a VLAN none: both
// are made anew.
func sameKind(a, b network.LinkSpecSpec) bool {
	return a.Kind == b.Kind && a.ParentName == b.ParentName && a.VLAN == b.VLAN && reflect.DeepEqual(a.BondMaster, b.BondMaster)
}

// link brings one link into shape: it exists, belongs to its bond, has its address and size, and is up.
func (d *differ) link(spec network.LinkSpecSpec) {
	d.replaceStranger(spec)
	status, there := d.shown.Links[spec.Name]
	if !there {
		if !spec.Logical || !d.ready(spec.ParentName) {
			return // comes when the hardware does
		}
		d.add(CreateLink{spec})
	}
	up := there && isUp(status)
	if len(spec.HardwareAddress) > 0 && there && !bytes.Equal(spec.HardwareAddress, status.HardwareAddr) {
		d.add(SetHardware{spec.Name, spec.HardwareAddress})
	}
	if master := spec.BondSlave.MasterName; master != "" {
		if !d.enslave(spec.Name, master, status, up) {
			return
		}
		up = true // the bond does that
	}
	if mtu := d.mtu(spec); mtu != 0 && mtu != status.MTU {
		d.add(SetMTU{spec.Name, mtu})
	}
	if m := spec.Multicast; m != nil && there && *m != (status.Flags&nethelpers.LinkFlags(nethelpers.LinkMulticast) != 0) {
		d.add(SetMulticast{spec.Name, *m})
	}
	d.sysctls(spec.Name, status.Index)
	if up != spec.Up {
		d.add(SetUp{spec.Name, spec.Up})
	}
}

// replaceStranger removes a link that has the name of one that we shall make: a driver that was loaded just now may have
// made a bond0 of its own, with none of the wanted options.
func (d *differ) replaceStranger(spec network.LinkSpecSpec) {
	_, there := d.shown.Links[spec.Name]
	if _, ours := d.owned.links[spec.Name]; there && spec.Logical && !ours {
		d.add(DeleteLink{spec.Name})
		d.forget(spec.Name)
	}
}

// mtu is the wanted size, or the one from before when nobody asks for any more; 0: as it is. A bond sees to its slaves.
func (d *differ) mtu(spec network.LinkSpecSpec) uint32 {
	if spec.MTU == 0 && spec.BondSlave.MasterName == "" {
		return d.owned.mtus[spec.Name]
	}
	return spec.MTU
}

func (d *differ) ready(parent string) bool {
	if parent == "" {
		return true
	}
	_, there := d.shown.Links[parent]
	return there || slices.ContainsFunc(d.actions, func(a Action) bool {
		c, ok := a.(CreateLink)
		return ok && c.Spec.Name == parent
	})
}

// enslave gives a link to its bond, which takes it only while it is down. It returns false while there is no bond.
func (d *differ) enslave(name, master string, status network.LinkStatusSpec, up bool) bool {
	if !d.ready(master) {
		return false
	}
	if bond, there := d.shown.Links[master]; there && status.MasterIndex == bond.Index {
		return true
	}
	if up {
		d.add(SetUp{name, false})
	}
	d.add(SetMaster{name, master})
	return true
}

func (d *differ) sysctls(name string, index uint32) {
	path := "net/ipv6/conf/" + name + "/accept_ra"
	if value, ok := d.wanted.sysctls[path]; ok && d.owned.sysctls[sysctlKey(index, path)] != value {
		d.add(SetSysctl{path, value})
	}
}

// puts adds what is missing, and addresses whose lease was prolonged.
func (d *differ) puts() {
	addresses, routes := d.shownAddresses(), d.shownRoutes()
	for _, key := range slices.Sorted(maps.Keys(d.wanted.addresses)) {
		a := d.wanted.addresses[key]
		before, ours := d.owned.addresses[key]
		if !d.ready(a.LinkName) {
			continue
		}
		if !addresses[key] || (!a.Valid.IsZero() && (!ours || !before.Valid.Equal(a.Valid))) {
			d.add(PutAddress{a})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(d.wanted.routes)) {
		r := d.wanted.routes[key]
		before, ours := d.owned.routes[key]
		if _, there := routes[key]; d.ready(r.OutLinkName) && (!there || (ours && changedRoute(before, r))) {
			d.add(PutRoute{r})
		}
	}
}
