// SPDX-License-Identifier: Apache-2.0

package linkspec

import (
	"net/netip"

	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/nethelpers"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
)

// devices follows machine.network.interfaces of the v1alpha1 document.
func (b *builder) devices() {
	machine := b.input.Config.Machine()
	if machine == nil || machine.Network() == nil {
		return
	}
	for i, device := range machine.Network().Devices() {
		names := []string{b.resolve(device.Interface())}
		if device.Selector() != nil {
			names = b.matching(device.Selector())
			if len(names) == 0 {
				b.problem("machine.network.interfaces[%d].deviceSelector: no link matches", i)
			}
		}
		for _, name := range names {
			b.device(name, device)
		}
	}
}

func (b *builder) device(name string, d config.Device) {
	if d.Ignore() {
		b.ignored[name] = true
		return
	}
	spec := network.LinkSpecSpec{Name: name, Up: true, MTU: uint32(max(d.MTU(), 0)), ConfigLayer: layer}
	if d.Dummy() {
		spec.Logical, spec.Kind, spec.Type = true, KindDummy, nethelpers.LinkEther
	}
	if d.Bond() != nil && !b.deviceBond(&spec, d.Bond()) {
		return
	}
	b.link(spec)
	b.deviceAddresses(name, d.Addresses())
	b.deviceRoutes(name, d.Routes())
	if d.DHCP() {
		b.deviceDHCP(name, d.DHCPOptions())
	}
	for _, vlan := range d.Vlans() {
		b.deviceVLAN(name, vlan)
	}
	if d.Bridge() != nil || d.WireguardConfig() != nil || d.VIPConfig() != nil {
		b.problem("machine.network.interfaces %s: bridge, wireguard and vip are not supported", name)
	}
}

func (b *builder) deviceBond(spec *network.LinkSpecSpec, d config.Bond) bool {
	master, err := bondOfDevice(d)
	if err != nil {
		b.problem("machine.network.interfaces %s: bond: %v", spec.Name, err)
		return false
	}
	spec.Logical, spec.Kind, spec.Type, spec.BondMaster = true, network.LinkKindBond, nethelpers.LinkEther, master
	slaves := d.Interfaces()
	for _, selector := range d.Selectors() {
		slaves = append(slaves[:len(slaves):len(slaves)], b.matching(selector)...)
	}
	if len(slaves) == 0 {
		b.problem("machine.network.interfaces %s: bond: no link matches", spec.Name)
	}
	for i, slave := range slaves {
		b.slave(b.resolve(slave), spec.Name, i, layer)
	}
	return true
}

func (b *builder) deviceVLAN(parent string, v config.Vlan) {
	name := nethelpers.VLANLinkName(parent, v.ID())
	spec := network.LinkSpecSpec{Name: name, Up: true, MTU: v.MTU(), ConfigLayer: layer}
	asVLAN(&spec, parent, v.ID(), nethelpers.VLANProtocol8021Q)
	b.link(spec)
	b.deviceAddresses(name, v.Addresses())
	b.deviceRoutes(name, v.Routes())
	if v.DHCP() {
		b.deviceDHCP(name, v.DHCPOptions())
	}
}

func (b *builder) deviceAddresses(name string, texts []string) {
	for _, text := range texts {
		prefix, err := parsePrefix(text)
		if err != nil {
			b.problem("address %q of %s: %v", text, name, err)
			continue
		}
		b.address(network.AddressSpecSpec{Address: prefix, LinkName: name, ConfigLayer: layer})
	}
}

// parsePrefix reads an address with or without the length of its network; without, it is alone in it.
func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	return netip.ParsePrefix(text)
}

func (b *builder) deviceRoutes(name string, routes []config.Route) {
	for _, r := range routes {
		spec := network.RouteSpecSpec{
			OutLinkName: name, Priority: r.Metric(), MTU: r.MTU(), Protocol: nethelpers.ProtocolStatic, ConfigLayer: layer,
		}
		var failed [3]error
		if r.Network() != "" {
			spec.Destination, failed[0] = netip.ParsePrefix(r.Network())
		}
		if r.Gateway() != "" {
			spec.Gateway, failed[1] = netip.ParseAddr(r.Gateway())
		}
		if r.Source() != "" {
			spec.Source, failed[2] = netip.ParseAddr(r.Source())
		}
		if failed != [3]error{} || (r.Network() == "" && r.Gateway() == "") {
			b.problem("route %q by %q of %s: expected a network, a gateway or both", r.Network(), r.Gateway(), name)
			continue
		}
		b.route(normalRoute(spec))
	}
}

func (b *builder) deviceDHCP(name string, o config.DHCPOptions) {
	metric := o.RouteMetric()
	if metric == 0 {
		metric = network.DefaultRouteMetric
	}
	if o.IPv4() {
		b.dhcp4(name, network.DHCP4OperatorSpec{RouteMetric: metric}, layer)
	}
	if o.IPv6() {
		spec := network.DHCP6OperatorSpec{RouteMetric: metric}
		if o.DUIDv6() != "" {
			spec.ClientIdentifier = network.ClientIdentifierSpec{
				ClientIdentifier: nethelpers.ClientIdentifierDUID, DUIDRawHex: o.DUIDv6(),
			}
		}
		b.dhcp6(name, spec, layer)
	}
}
