// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"path"
	"strconv"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/nethelpers"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"dodeka/userland/internal/ifname"
	"dodeka/userland/internal/linkspec"
	"dodeka/userland/internal/sysfs"
)

// Snapshot asks the kernel for everything. A list that changed while it was read is good enough: a notice about the
// change is on its way.
func (k *Kernel) Snapshot() (Snapshot, error) {
	shown := Snapshot{Links: linkspec.Links{}, Renames: map[string]string{}}
	links, err := netlink.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return shown, err
	}
	names := map[int]string{}
	for _, l := range links {
		name := l.Attrs().Name
		names[l.Attrs().Index] = name
		shown.Links[name] = k.link(l)
		if to := k.rename(name); to != "" && to != name {
			shown.Renames[name] = to
		}
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return shown, err
	}
	for _, a := range addresses {
		if spec, ok := addressOf(a, names); ok {
			shown.Addresses = append(shown.Addresses, spec)
		}
	}
	routes, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return shown, err
	}
	for _, r := range routes {
		shown.Routes = append(shown.Routes, routesOf(r, names)...)
	}
	return shown, nil
}

func (k *Kernel) rename(name string) string {
	if !k.names || !ifname.Renames(k.sys, name) {
		return ""
	}
	return ifname.Of(k.sys, name)
}

func (k *Kernel) link(l netlink.Link) network.LinkStatusSpec {
	a := l.Attrs()
	spec := network.LinkStatusSpec{
		Alias: a.Alias, AltNames: a.AltNames, Index: uint32(a.Index), LinkIndex: uint32(max(a.ParentIndex, 0)),
		Flags: nethelpers.LinkFlags(a.RawFlags), HardwareAddr: nethelpers.HardwareAddr(a.HardwareAddr),
		PermanentAddr: nethelpers.HardwareAddr(a.PermHWAddr), MTU: uint32(a.MTU), MasterIndex: uint32(a.MasterIndex),
		OperationalState: nethelpers.OperationalState(a.OperState), LinkState: a.RawFlags&unix.IFF_LOWER_UP != 0,
		Port: nethelpers.Other, Duplex: nethelpers.Unknown,
	}
	if kind := l.Type(); kind != "device" {
		spec.Kind = kind
	}
	if a.Slave != nil {
		spec.SlaveKind = a.Slave.SlaveType()
	}
	spec.Type, _ = nethelpers.LinkTypeString(a.EncapType)
	switch l := l.(type) {
	case *netlink.Vlan:
		spec.VLAN = network.VLANSpec{VID: uint16(l.VlanId), Protocol: nethelpers.VLANProtocol(l.VlanProtocol)}
	case *netlink.Bond:
		spec.BondMaster = network.BondMasterSpec{
			Mode: nethelpers.BondMode(l.Mode), MIIMon: known(l.Miimon), UpDelay: known(l.UpDelay), DownDelay: known(l.DownDelay),
			HashPolicy: nethelpers.BondXmitHashPolicy(l.XmitHashPolicy), LACPRate: nethelpers.LACPRate(l.LacpRate),
			UseCarrier: l.UseCarrier != 0, MinLinks: known(l.MinLinks),
		}
	}
	k.hardware(&spec, a.Name)
	return spec
}

// known turns the -1 that means "not said" into 0.
func known(n int) uint32 { return uint32(max(n, 0)) }

// hardware adds what /sys knows of the device.
func (k *Kernel) hardware(spec *network.LinkStatusSpec, name string) {
	dir := path.Join("class/net", name)
	read := func(file string) string { return sysfs.ReadText(k.sys, path.Join(dir, file)) }
	device := uevent(k.sys, path.Join(dir, "device"))
	spec.Driver = device["DRIVER"]
	if _, found := device["PCI_ID"]; !found { // a virtio device sits on a PCI function, as a USB one does
		device = uevent(k.sys, ifname.PCI(k.sys, name))
	}
	spec.PCIID, spec.BusPath = device["PCI_ID"], device["PCI_SLOT_NAME"]
	spec.VendorID, spec.ProductID = read("device/vendor"), read("device/device")
	if mbit, err := strconv.Atoi(read("speed")); err == nil && mbit > 0 {
		spec.SpeedMegabits = mbit
	}
	switch read("duplex") {
	case "full":
		spec.Duplex = nethelpers.Full
	case "half":
		spec.Duplex = nethelpers.Half
	}
	if broadcast, err := net.ParseMAC(read("broadcast")); err == nil {
		spec.BroadcastAddr = nethelpers.HardwareAddr(broadcast)
	}
}

// uevent reads what the kernel says of a device.
func uevent(sys fs.FS, device string) map[string]string {
	found := map[string]string{}
	for line := range strings.SplitSeq(sysfs.ReadText(sys, path.Join(device, "uevent")), "\n") {
		key, value, _ := strings.Cut(line, "=")
		found[key] = value
	}
	return found
}

func addressOf(a netlink.Addr, names map[int]string) (network.AddressStatusSpec, bool) {
	prefix, ok := prefixOf(a.IPNet)
	spec := network.AddressStatusSpec{
		Address: prefix, LinkIndex: uint32(a.LinkIndex), LinkName: names[a.LinkIndex], Family: familyOf(prefix.Addr()),
		Scope: nethelpers.Scope(a.Scope), Flags: nethelpers.AddressFlags(a.Flags), Local: prefix.Addr(),
	}
	spec.Broadcast, _ = netip.AddrFromSlice(a.Broadcast)
	return spec, ok && spec.LinkName != ""
}

// routesOf is one route for each way that it has.
func routesOf(r netlink.Route, names map[int]string) []network.RouteStatusSpec {
	destination, _ := prefixOf(r.Dst)
	spec := network.RouteStatusSpec{
		Family: nethelpers.Family(r.Family), Destination: destination, OutLinkIndex: uint32(r.LinkIndex), OutLinkName: names[r.LinkIndex],
		Table: nethelpers.RoutingTable(r.Table), Priority: uint32(r.Priority), Scope: nethelpers.Scope(r.Scope),
		Type: nethelpers.RouteType(r.Type), Flags: nethelpers.RouteFlags(r.Flags), Protocol: nethelpers.RouteProtocol(r.Protocol), MTU: uint32(r.MTU),
	}
	if destination.IsValid() && destination.Bits() == 0 {
		spec.Destination = netip.Prefix{}
	}
	spec.Gateway, spec.Source = addrOf(r.Gw), addrOf(r.Src)
	if len(r.MultiPath) == 0 {
		return []network.RouteStatusSpec{spec}
	}
	var found []network.RouteStatusSpec
	for _, hop := range r.MultiPath {
		way := spec
		way.OutLinkIndex, way.OutLinkName, way.Gateway = uint32(hop.LinkIndex), names[hop.LinkIndex], addrOf(hop.Gw)
		found = append(found, way)
	}
	return found
}

func addrOf(ip net.IP) netip.Addr {
	addr, _ := netip.AddrFromSlice(ip)
	return addr.Unmap()
}

func prefixOf(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	ones, bits := n.Mask.Size()
	addr, ok := netip.AddrFromSlice(n.IP)
	if addr = addr.Unmap(); !ok || bits != addr.BitLen() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(addr, ones), true
}

func familyOf(a netip.Addr) nethelpers.Family {
	if a.Is4() {
		return nethelpers.FamilyInet4
	}
	return nethelpers.FamilyInet6
}
