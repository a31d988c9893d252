// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"dodeka/userland/internal/lease"
)

// metricBase is the metric of routes from DHCP; the interface's index is added, so that two interfaces with a default
// route do not replace each other's.
const metricBase = 1024

// applyLease gives an interface its address and routes. Doing it again with the same lease only prolongs it.
func applyLease(name string, c lease.Config) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	if c.MTU != 0 && c.MTU != link.Attrs().MTU {
		if err := netlink.LinkSetMTU(link, c.MTU); err != nil {
			return fmt.Errorf("MTU %d: %w", c.MTU, err)
		}
	}
	seconds := int(c.Lifetime.Seconds())
	address := &netlink.Addr{IPNet: ipNet(c.Address), ValidLft: seconds, PreferedLft: seconds}
	if err := netlink.AddrReplace(link, address); err != nil {
		return fmt.Errorf("address %s: %w", c.Address, err)
	}
	for _, r := range c.Routes {
		if err := netlink.RouteReplace(routeOf(link, c, r)); err != nil {
			return fmt.Errorf("route %s by %s: %w", r.Destination, r.Gateway, err)
		}
	}
	return nil
}

func routeOf(link netlink.Link, c lease.Config, r lease.Route) *netlink.Route {
	route := &netlink.Route{
		LinkIndex: link.Attrs().Index, Dst: ipNet(r.Destination), Src: net.IP(c.Address.Addr().AsSlice()),
		Priority: metricBase + link.Attrs().Index, Protocol: unix.RTPROT_DHCP, Scope: netlink.SCOPE_LINK,
	}
	if r.Gateway.IsValid() {
		route.Gw, route.Scope = net.IP(r.Gateway.AsSlice()), netlink.SCOPE_UNIVERSE
		if !c.Address.Contains(r.Gateway) {
			route.Flags = int(netlink.FLAG_ONLINK) // clouds hand out /32 with a gateway outside
		}
	}
	return route
}

// removeLease takes every IPv4 address off an interface; the kernel drops the routes that used them.
func removeLease(name string) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return
	}
	addresses, _ := netlink.AddrList(link, netlink.FAMILY_V4)
	for i := range addresses {
		_ = netlink.AddrDel(link, &addresses[i])
	}
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
