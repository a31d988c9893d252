// SPDX-License-Identifier: Apache-2.0

package linkspec

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/netip"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"

	"dodeka/userland/internal/hostfiles"
)

// names follows the documents about host name, resolvers, time and static hosts.
func (b *builder) names() {
	c := b.input.Config
	if doc := c.NetworkHostnameConfig(); doc != nil && doc.Hostname() != "" {
		b.hostname(doc.Hostname(), layer)
	}
	if doc := c.NetworkResolverConfig(); doc != nil {
		b.resolvers(doc)
	}
	if doc := c.NetworkTimeSyncConfig(); doc != nil {
		b.plan.Time.Disabled, b.plan.Time.BootTimeout = doc.Disabled(), doc.BootTimeout()
		if servers := doc.Servers(); len(servers) > 0 {
			b.plan.Time.Servers, b.plan.Time.Layer = servers, layer
		}
	}
	for _, doc := range c.NetworkStaticHostConfig() {
		b.host(doc)
	}
}

func (b *builder) hostname(name string, from network.ConfigLayer) {
	if !hostfiles.ValidName(name) {
		b.problem("host name %q from layer %s: expected letters, digits and hyphens", name, from)
		return
	}
	b.plan.Names.Hostname, b.plan.Names.Domain, _ = strings.Cut(name, ".")
	b.plan.Names.HostnameLayer = from
}

func (b *builder) resolvers(doc config.NetworkResolverConfig) {
	if addrs := doc.Resolvers(); len(addrs) > 0 {
		b.plan.Names.Resolvers, b.plan.Names.ResolverLayer = nil, layer
		for _, addr := range addrs {
			if addr.IsValid() && !addr.IsUnspecified() {
				b.plan.Names.Resolvers = append(b.plan.Names.Resolvers, addr)
			}
		}
	}
	for _, domain := range doc.SearchDomains() {
		if !hostfiles.ValidName(domain) {
			b.problem("search domain %q: expected letters, digits and hyphens", domain)
			continue
		}
		b.plan.Names.Search = append(b.plan.Names.Search, domain)
	}
	b.plan.Names.DisableSearch = doc.DisableSearchDomain()
}

func (b *builder) host(doc config.NetworkStaticHostConfig) {
	addr, err := netip.ParseAddr(doc.IP())
	if err != nil {
		b.problem("static host %q: expected an address", doc.IP())
		return
	}
	host := Host{Address: addr}
	for _, alias := range doc.Aliases() {
		if !hostfiles.ValidName(alias) {
			b.problem("name %q of static host %s: expected letters, digits and hyphens", alias, addr)
			continue
		}
		host.Aliases = append(host.Aliases, alias)
	}
	if len(host.Aliases) > 0 {
		b.plan.Names.Hosts = append(b.plan.Names.Hosts, host)
	}
}

// StableHostname is the name of a machine that nobody named: the same at every boot, and unlike its neighbours'. The
// UUID comes from the firmware; makers who fill in none or one for all leave the hardware address to decide.
func StableHostname(uuid string, address net.HardwareAddr) string {
	seed := ""
	switch {
	case MeaningfulUUID(uuid):
		seed = "uuid " + strings.ToLower(uuid)
	case len(address) > 0:
		seed = "mac " + address.String()
	default:
		return "dodeka"
	}
	sum := sha256.Sum256([]byte("dodeka host name: " + seed))
	return "dodeka-" + hex.EncodeToString(sum[:4])
}

// MeaningfulUUID refuses UUIDs of one repeated digit, and the sample that firmware makers forget to replace: many machines
// have those.
func MeaningfulUUID(uuid string) bool {
	digits := strings.ToLower(strings.ReplaceAll(uuid, "-", ""))
	if len(digits) != 32 || strings.Trim(digits, "0123456789abcdef") != "" {
		return false
	}
	return strings.Trim(digits, digits[:1]) != "" && digits != "03000200040005000006000700080009"
}
