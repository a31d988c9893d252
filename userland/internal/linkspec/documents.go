// SPDX-License-Identifier: Apache-2.0

package linkspec

import (
	"encoding/hex"

	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/nethelpers"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
)

const layer = network.ConfigMachineConfiguration

// documents follows the network documents of their own kinds (LinkConfig, VLANConfig, BondConfig, DHCPv4Config …).
func (b *builder) documents() {
	for _, doc := range b.input.Config.NetworkCommonLinkConfigs() {
		name := b.resolve(doc.Name())
		spec := network.LinkSpecSpec{Name: name, Up: doc.Up().ValueOr(true), MTU: doc.MTU().ValueOrZero(), ConfigLayer: layer}
		if multicast, ok := doc.Multicast().Get(); ok {
			spec.Multicast = &multicast
		}
		if !b.kindOf(&spec, doc) {
			continue
		}
		b.link(spec)
		b.common(name, doc)
	}
	b.dhcpDocuments()
	b.unsupported()
}

// kindOf adds what is special about a kind of link, and tells whether the kind is known.
func (b *builder) kindOf(spec *network.LinkSpecSpec, doc config.NetworkCommonLinkConfig) bool {
	switch d := doc.(type) {
	case config.NetworkPhysicalLinkConfig:
		return true
	case config.NetworkDummyLinkConfig:
		spec.Logical, spec.Kind, spec.Type = true, KindDummy, nethelpers.LinkEther
		spec.HardwareAddress = d.HardwareAddress().ValueOrZero()
	case config.NetworkVLANConfig:
		asVLAN(spec, b.resolve(d.ParentLink()), d.VLANID(), d.VLANMode().ValueOr(nethelpers.VLANProtocol8021Q))
	case config.NetworkBondConfig:
		spec.Logical, spec.Kind, spec.Type = true, network.LinkKindBond, nethelpers.LinkEther
		spec.HardwareAddress = d.HardwareAddress().ValueOrZero()
		spec.BondMaster = bondOf(d)
		for i, slave := range d.Links() {
			b.slave(b.resolve(slave), spec.Name, i, layer)
		}
	default:
		b.problem("link %s: documents of kind %T are not supported", spec.Name, doc)
		return false
	}
	return true
}

// KindDummy is the kernel's kind of a link that leads nowhere.
const KindDummy = "dummy"

func asVLAN(spec *network.LinkSpecSpec, parent string, id uint16, protocol nethelpers.VLANProtocol) {
	spec.Logical, spec.Kind, spec.Type = true, network.LinkKindVLAN, nethelpers.LinkEther
	spec.ParentName, spec.VLAN = parent, network.VLANSpec{VID: id, Protocol: protocol}
}

func (b *builder) slave(name, master string, index int, from network.ConfigLayer) {
	b.link(network.LinkSpecSpec{
		Name: name, Up: true, ConfigLayer: from,
		BondSlave: network.BondSlave{MasterName: master, SlaveIndex: index},
	})
}

// common adds the addresses and routes that every kind of link can have.
func (b *builder) common(name string, doc config.NetworkCommonLinkConfig) {
	for _, a := range doc.Addresses() {
		b.address(network.AddressSpecSpec{
			Address: a.Address(), LinkName: name, Priority: a.RoutePriority().ValueOrZero(), ConfigLayer: layer,
		})
	}
	for _, r := range doc.Routes() {
		b.route(normalRoute(network.RouteSpecSpec{
			Destination: r.Destination().ValueOrZero(), Gateway: r.Gateway().ValueOrZero(), Source: r.Source().ValueOrZero(),
			OutLinkName: name, Table: r.Table().ValueOrZero(), Priority: r.Metric().ValueOrZero(), MTU: r.MTU().ValueOrZero(),
			Protocol: nethelpers.ProtocolStatic, ConfigLayer: layer,
		}))
	}
}

func (b *builder) dhcpDocuments() {
	for _, doc := range b.input.Config.NetworkDHCPv4Configs() {
		name := b.resolve(doc.Name())
		b.wantUp(name, layer)
		b.dhcp4(name, network.DHCP4OperatorSpec{
			RouteMetric:         doc.RouteMetric().ValueOr(network.DefaultRouteMetric),
			SkipHostnameRequest: doc.IgnoreHostname().ValueOrZero(),
			ClientIdentifier:    identifier(doc.ClientIdentifier(), doc.DUIDRaw().ValueOrZero()),
		}, layer)
	}
	for _, doc := range b.input.Config.NetworkDHCPv6Configs() {
		name := b.resolve(doc.Name())
		b.wantUp(name, layer)
		b.dhcp6(name, network.DHCP6OperatorSpec{
			RouteMetric:         doc.RouteMetric().ValueOr(network.DefaultRouteMetric),
			SkipHostnameRequest: doc.IgnoreHostname().ValueOrZero(),
			ClientIdentifier:    identifier(doc.ClientIdentifier(), doc.DUIDRaw().ValueOrZero()),
		}, layer)
	}
}

func identifier(kind nethelpers.ClientIdentifier, duid []byte) network.ClientIdentifierSpec {
	return network.ClientIdentifierSpec{ClientIdentifier: kind, DUIDRawHex: hex.EncodeToString(duid)}
}

// unsupported names what the configuration asks for and this machine does not do.
func (b *builder) unsupported() {
	for _, doc := range b.input.Config.NetworkVirtualIPConfigs() {
		b.problem("virtual address %s: not supported", doc.Name())
	}
	for _, doc := range b.input.Config.NetworkRoutingRuleConfigs() {
		b.problem("routing rule %s: not supported", doc.Name())
	}
	for _, doc := range b.input.Config.NetworkBlackholeRouteConfigs() {
		b.problem("blackhole route %s: not supported", doc.Name())
	}
}
