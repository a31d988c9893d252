// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/nethelpers"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
)

// netspec collects a network in the terms of the platform's resource.
type netspec struct {
	network.PlatformConfigSpec
	linkByMAC func(string) (string, bool)
}

// name is the interface with the address, when there is one, and the given name otherwise.
func (n *netspec) name(given, mac string) string {
	if mac == "" || n.linkByMAC == nil {
		return given
	}
	if found, is := n.linkByMAC(strings.ToLower(mac)); is {
		return found
	}
	return given
}

// link adds a link. Of too many it keeps one more than there may be, so that check refuses them and enslave, which looks
// through all, never has many to look through.
func (n *netspec) link(spec network.LinkSpecSpec) {
	if len(n.Links) > maxLinks {
		return
	}
	spec.Up, spec.ConfigLayer = true, network.ConfigPlatform
	n.Links = append(n.Links, spec)
}

// enslave makes links members of a bond, in order.
func (n *netspec) enslave(master string, members []string) {
	for i, member := range members {
		slave := network.BondSlave{MasterName: master, SlaveIndex: i}
		found := false
		for at := range n.Links {
			if n.Links[at].Name == member {
				n.Links[at].BondSlave, found = slave, true
			}
		}
		if !found {
			n.link(network.LinkSpecSpec{Name: member, BondSlave: slave})
		}
	}
}

func (n *netspec) dhcp4(link string) {
	n.Operators = append(n.Operators, network.OperatorSpecSpec{Operator: network.OperatorDHCP4, LinkName: link, RequireUp: true,
		DHCP4: network.DHCP4OperatorSpec{RouteMetric: network.DefaultRouteMetric}, ConfigLayer: network.ConfigPlatform})
}

func (n *netspec) dhcp6(link string) {
	n.Operators = append(n.Operators, network.OperatorSpecSpec{Operator: network.OperatorDHCP6, LinkName: link, RequireUp: true,
		DHCP6: network.DHCP6OperatorSpec{RouteMetric: 2 * network.DefaultRouteMetric}, ConfigLayer: network.ConfigPlatform})
}

// address takes "10.0.0.2/24", or an address and a netmask in dots, bits or both forms of IPv6.
func (n *netspec) address(link, text, netmask string) error {
	prefix, err := parsePrefix(text, netmask)
	if err != nil {
		return err
	}
	n.Addresses = append(n.Addresses, network.AddressSpecSpec{Address: prefix, LinkName: link, Family: familyOf(prefix.Addr()),
		Scope: nethelpers.ScopeGlobal, Flags: nethelpers.AddressFlags(nethelpers.AddressPermanent), ConfigLayer: network.ConfigPlatform})
	return nil
}

// route goes to a network, or everywhere when destination is empty or "default".
func (n *netspec) route(link, destination, netmask, gateway string, metric uint32) error {
	via, err := netip.ParseAddr(gateway)
	if err != nil {
		return fmt.Errorf("gateway %q is not an address", gateway)
	}
	route := network.RouteSpecSpec{Family: familyOf(via), Gateway: via, OutLinkName: link, Table: nethelpers.TableMain, Priority: metric,
		Type: nethelpers.TypeUnicast, Protocol: nethelpers.ProtocolStatic, ConfigLayer: network.ConfigPlatform}
	if destination != "" && destination != "default" {
		if route.Destination, err = parsePrefix(destination, netmask); err != nil {
			return err
		}
		if familyOf(route.Destination.Addr()) != route.Family {
			return fmt.Errorf("route to %s by way of %s", destination, gateway)
		}
	}
	if metric == 0 {
		route.Priority = network.DefaultRouteMetric
	}
	route.Normalize()
	n.Routes = append(n.Routes, route)
	return nil
}

// subnetRoute is a route of a subnet, in version 1 of cloud-init's network configuration and in OpenStack's.
type subnetRoute struct {
	Network string `yaml:"network"`
	Netmask string `yaml:"netmask"`
	Gateway string `yaml:"gateway"`
}

// gateways adds the default route of a subnet, if it has one, and its others.
func (n *netspec) gateways(link, gateway string, others []subnetRoute) error {
	if gateway != "" {
		if err := n.route(link, "", "", gateway, 0); err != nil {
			return err
		}
	}
	for _, route := range others {
		if err := n.route(link, route.Network, route.Netmask, route.Gateway, 0); err != nil {
			return err
		}
	}
	return nil
}

func (n *netspec) resolvers(servers, search []string) error {
	if len(servers) == 0 && len(search) == 0 {
		return nil
	}
	if len(n.Resolvers) == 0 {
		n.Resolvers = []network.ResolverSpecSpec{{ConfigLayer: network.ConfigPlatform}}
	}
	for _, text := range servers {
		server, err := netip.ParseAddr(text)
		if err != nil {
			return fmt.Errorf("resolver %q is not an address", text)
		}
		n.Resolvers[0].DNSServers = append(n.Resolvers[0].DNSServers, server)
	}
	n.Resolvers[0].SearchDomains = append(n.Resolvers[0].SearchDomains, search...)
	return nil
}

func parsePrefix(text, netmask string) (netip.Prefix, error) {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return prefix, nil
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not an address", text)
	}
	if netmask == "" {
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	bits, err := maskBits(netmask)
	if err != nil || bits > address.BitLen() {
		return netip.Prefix{}, fmt.Errorf("netmask %q of %s", netmask, text)
	}
	return netip.PrefixFrom(address, bits), nil
}

// maskBits counts the ones of 255.255.255.0, ffff:ffff::, or reads 24.
func maskBits(netmask string) (int, error) {
	mask, err := netip.ParseAddr(netmask)
	if err != nil {
		bits, err := strconv.ParseUint(netmask, 10, 8)
		return int(bits), err
	}
	bits, ended := 0, false
	for _, b := range mask.AsSlice() {
		for bit := 7; bit >= 0; bit-- {
			one := b>>bit&1 == 1
			if one && ended {
				return 0, fmt.Errorf("netmask %s has holes", netmask)
			}
			if ended = ended || !one; one {
				bits++
			}
		}
	}
	return bits, nil
}

func familyOf(address netip.Addr) nethelpers.Family {
	if address.Is4() || address.Is4In6() {
		return nethelpers.FamilyInet4
	}
	return nethelpers.FamilyInet6
}
