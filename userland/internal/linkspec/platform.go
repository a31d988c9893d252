// SPDX-License-Identifier: Apache-2.0

package linkspec

import (
	"net/netip"
	"slices"

	"github.com/siderolabs/talos/pkg/machinery/resources/network"

	"dodeka/userland/internal/hostfiles"
)

// platform follows what the cloud or hypervisor says (PlatformConfig); every name in it is checked like a stranger's.
func (b *builder) platform() {
	p := b.input.Platform
	if p == nil {
		return
	}
	for _, spec := range p.Links {
		spec.Name, spec.ParentName = b.resolve(spec.Name), b.resolve(spec.ParentName)
		spec.ConfigLayer = network.ConfigPlatform
		b.link(spec)
	}
	for _, spec := range p.Addresses {
		if !spec.Address.IsValid() {
			b.problem("platform: an address of %s is not valid", spec.LinkName)
			continue
		}
		spec.LinkName, spec.ConfigLayer = b.resolve(spec.LinkName), network.ConfigPlatform
		b.wantUp(spec.LinkName, network.ConfigPlatform)
		b.address(spec)
	}
	for _, spec := range p.Routes {
		spec.OutLinkName, spec.ConfigLayer = b.resolve(spec.OutLinkName), network.ConfigPlatform
		b.route(normalRoute(spec))
	}
	for _, spec := range p.Operators {
		spec.LinkName, spec.ConfigLayer = b.resolve(spec.LinkName), network.ConfigPlatform
		if spec.Operator == network.OperatorVIP {
			b.problem("platform: virtual address on %s: not supported", spec.LinkName)
			continue
		}
		b.wantUp(spec.LinkName, network.ConfigPlatform)
		b.operator(withMetric(spec))
	}
	b.platformNames(p)
}

func (b *builder) platformNames(p *network.PlatformConfigSpec) {
	for _, spec := range p.Hostnames {
		b.hostname(spec.FQDN(), network.ConfigPlatform)
	}
	for _, spec := range p.Resolvers {
		b.plan.Names.Resolvers, b.plan.Names.ResolverLayer = slices.Clone(spec.DNSServers), network.ConfigPlatform
		for _, domain := range spec.SearchDomains {
			if hostfiles.ValidName(domain) {
				b.plan.Names.Search = append(b.plan.Names.Search, domain)
			}
		}
	}
	for _, spec := range p.TimeServers {
		servers := slices.DeleteFunc(slices.Clone(spec.NTPServers), func(server string) bool { return !validServer(server) })
		b.plan.Time.Servers, b.plan.Time.Layer = servers, network.ConfigPlatform
	}
}

func validServer(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil || hostfiles.ValidName(text)
}

// withMetric gives a client of the platform the usual metric: 0 would put its routes before everybody's.
func withMetric(spec network.OperatorSpecSpec) network.OperatorSpecSpec {
	if spec.DHCP4.RouteMetric == 0 {
		spec.DHCP4.RouteMetric = network.DefaultRouteMetric
	}
	if spec.DHCP6.RouteMetric == 0 {
		spec.DHCP6.RouteMetric = network.DefaultRouteMetric
	}
	return spec
}

// wantUp lets a DHCP client or an address stand alone: on a link that is down it would wait for ever.
func (b *builder) wantUp(name string, from network.ConfigLayer) {
	if _, ok := b.links[name]; !ok {
		b.link(network.LinkSpecSpec{Name: name, Up: true, ConfigLayer: from})
	}
}
