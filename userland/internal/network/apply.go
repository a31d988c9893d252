// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/nethelpers"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"dodeka/userland/internal/linkspec"
)

// Apply makes one change.
func (k *Kernel) Apply(action Action) error {
	switch a := action.(type) {
	case CreateLink:
		return createLink(a.Spec)
	case SetSysctl:
		return setSysctl(a)
	case PutAddress:
		return withLink(a.LinkName, func(l netlink.Link) error { return netlink.AddrReplace(l, addressFor(a.Address)) })
	case DropAddress:
		return withLink(a.Spec.LinkName, func(l netlink.Link) error {
			return gone(netlink.AddrDel(l, &netlink.Addr{IPNet: ipNet(a.Spec.Address)}))
		})
	case PutRoute:
		return withLink(a.Spec.OutLinkName, func(l netlink.Link) error { return putRoute(routeFor(l, a.Spec)) })
	case DropRoute:
		return withLink(a.Spec.OutLinkName, func(l netlink.Link) error { return gone(netlink.RouteDel(routeFor(l, a.Spec))) })
	default:
		return applyToLink(action)
	}
}

func applyToLink(action Action) error {
	switch a := action.(type) {
	case RenameLink:
		return withLink(a.From, func(l netlink.Link) error { return netlink.LinkSetName(l, a.To) })
	case DeleteLink:
		return withLink(a.Name, netlink.LinkDel)
	case SetHardware:
		return withLink(a.Name, func(l netlink.Link) error { return netlink.LinkSetHardwareAddr(l, net.HardwareAddr(a.Address)) })
	case SetMTU:
		return withLink(a.Name, func(l netlink.Link) error { return netlink.LinkSetMTU(l, int(a.MTU)) })
	case SetMaster:
		return setMaster(a)
	case SetMulticast:
		return withLink(a.Name, pick(a.On, netlink.LinkSetMulticastOn, netlink.LinkSetMulticastOff))
	case SetUp:
		return withLink(a.Name, pick(a.Up, netlink.LinkSetUp, netlink.LinkSetDown))
	default:
		return fmt.Errorf("BUG: unknown action %T", action)
	}
}

func pick(first bool, a, b func(netlink.Link) error) func(netlink.Link) error {
	if first {
		return a
	}
	return b
}

// withLink looks a link up by name and does something with it.
func withLink(name string, do func(netlink.Link) error) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return do(link)
}

// gone is content when what shall be removed is not there.
func gone(err error) error {
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

func setMaster(a SetMaster) error {
	return withLink(a.Name, func(l netlink.Link) error {
		if a.Master == "" {
			return netlink.LinkSetNoMaster(l)
		}
		return withLink(a.Master, func(master netlink.Link) error { return netlink.LinkSetMaster(l, master) })
	})
}

// setSysctl is content when the kernel has no such setting: IPv6 may be off. The path holds a link's name, which the plan
// has checked; it must still stay below /proc/sys.
func setSysctl(a SetSysctl) error {
	const root = "/proc/sys"
	path := filepath.Join(root, a.Path)
	if !strings.HasPrefix(path, root+"/net/") {
		return fmt.Errorf("BUG: setting %q", a.Path)
	}
	err := os.WriteFile(path, []byte(a.Value), 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func createLink(spec network.LinkSpecSpec) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = spec.Name, net.HardwareAddr(spec.HardwareAddress)
	switch spec.Kind {
	case linkspec.KindDummy:
		return netlink.LinkAdd(&netlink.Dummy{LinkAttrs: attrs})
	case network.LinkKindBond:
		return netlink.LinkAdd(bondFor(attrs, spec.BondMaster))
	case network.LinkKindVLAN:
		return withLink(spec.ParentName, func(parent netlink.Link) error {
			attrs.ParentIndex = parent.Attrs().Index
			return netlink.LinkAdd(&netlink.Vlan{
				LinkAttrs: attrs, VlanId: int(spec.VLAN.VID), VlanProtocol: netlink.VlanProtocol(spec.VLAN.Protocol),
			})
		})
	default:
		return fmt.Errorf("links of kind %q are not supported", spec.Kind)
	}
}

// bondFor sets what the configuration says; -1 leaves an option to the kernel, which refuses some in some modes.
func bondFor(attrs netlink.LinkAttrs, spec network.BondMasterSpec) *netlink.Bond {
	bond := netlink.NewLinkBond(attrs)
	bond.Mode = netlink.BondMode(spec.Mode)
	options := []struct {
		to   *int
		from uint32
	}{
		{&bond.Miimon, spec.MIIMon}, {&bond.UpDelay, spec.UpDelay}, {&bond.DownDelay, spec.DownDelay}, {&bond.ArpInterval, spec.ARPInterval},
		{&bond.ResendIgmp, spec.ResendIGMP}, {&bond.MinLinks, spec.MinLinks}, {&bond.LpInterval, spec.LPInterval},
		{&bond.PacketsPerSlave, spec.PacketsPerSlave}, {&bond.NumPeerNotif, uint32(spec.NumPeerNotif)},
		{&bond.AllSlavesActive, uint32(spec.AllSlavesActive)}, {&bond.TlbDynamicLb, uint32(spec.TLBDynamicLB)},
		{&bond.AdActorSysPrio, uint32(spec.ADActorSysPrio)}, {&bond.AdUserPortKey, uint32(spec.ADUserPortKey)},
	}
	for _, o := range options {
		if o.from != 0 {
			*o.to = int(o.from)
		}
	}
	if spec.HashPolicy != 0 {
		bond.XmitHashPolicy = netlink.BondXmitHashPolicy(spec.HashPolicy)
	}
	if spec.Mode == nethelpers.BondMode8023AD {
		bond.LacpRate, bond.AdSelect = netlink.BondLacpRate(spec.LACPRate), netlink.BondAdSelect(spec.ADSelect)
	}
	if spec.FailOverMac != 0 {
		bond.FailOverMac = netlink.BondFailOverMac(spec.FailOverMac)
	}
	if spec.PrimaryReselect != 0 {
		bond.PrimaryReselect = netlink.BondPrimaryReselect(spec.PrimaryReselect)
	}
	if spec.ARPInterval != 0 {
		bond.ArpValidate, bond.ArpAllTargets = netlink.BondArpValidate(spec.ARPValidate), netlink.BondArpAllTargets(spec.ARPAllTargets)
		for _, target := range spec.ARPIPTargets {
			bond.ArpIpTargets = append(bond.ArpIpTargets, net.IP(target.AsSlice()))
		}
	}
	return bond
}

// addressFor turns the moments of a lease into what is left of them. A network's broadcast address is left to the kernel.
func addressFor(a Address) *netlink.Addr {
	return &netlink.Addr{IPNet: ipNet(a.AddressSpecSpec.Address), ValidLft: left(a.Valid), PreferedLft: left(a.Preferred), Scope: int(a.Scope)}
}

func left(until time.Time) int {
	if until.IsZero() {
		return 0
	}
	return max(int(time.Until(until).Seconds()), 1)
}

func routeFor(l netlink.Link, r network.RouteSpecSpec) *netlink.Route {
	route := &netlink.Route{
		LinkIndex: l.Attrs().Index, Family: int(r.Family), Priority: int(r.Priority), Table: int(r.Table), MTU: int(r.MTU),
		Protocol: netlink.RouteProtocol(r.Protocol), Scope: netlink.Scope(r.Scope), Flags: int(r.Flags & onLink),
		Gw: ipOf(r.Gateway), Src: ipOf(r.Source),
	}
	destination := r.Destination
	if !destination.IsValid() {
		everything := netip.IPv4Unspecified()
		if r.Family == nethelpers.FamilyInet6 {
			everything = netip.IPv6Unspecified()
		}
		destination = netip.PrefixFrom(everything, 0)
	}
	route.Dst = ipNet(destination)
	return route
}

// putRoute adds a route beside others to the same place: IPv4 tells them apart by the order, IPv6 shares the load.
func putRoute(r *netlink.Route) error {
	if r.Family == netlink.FAMILY_V4 {
		return netlink.RouteAppend(r)
	}
	return netlink.RouteAddEcmp(r)
}

func ipOf(a netip.Addr) net.IP {
	if !a.IsValid() {
		return nil
	}
	return net.IP(a.AsSlice())
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
