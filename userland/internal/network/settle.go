// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/constants"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"

	"dodeka/userland/internal/hostfiles"
	"dodeka/userland/internal/linkspec"
	"dodeka/userland/internal/screen"
	"dodeka/userland/internal/timesync"
)

// defaultTimeServers are asked when nobody names others: the default that the configuration's documentation promises.
var defaultTimeServers = []string{constants.DefaultNTPServer}

// facts is what the plan and the leases say together about names and time.
type facts struct {
	hostname, domain string
	resolvers        []netip.Addr
	search           []string
	times            []string
}

// factsOf lets a lease override what comes from below it, and the configuration override a lease.
func factsOf(plan linkspec.Plan, leases map[string]Lease, stable string) facts {
	f := facts{
		hostname: plan.Names.Hostname, domain: plan.Names.Domain, resolvers: plan.Names.Resolvers,
		search: slices.Clone(plan.Names.Search), times: plan.Time.Servers,
	}
	var all Lease
	for _, id := range slices.Sorted(maps.Keys(leases)) {
		all = merged(all, leases[id])
	}
	if all.Hostname != "" && (f.hostname == "" || plan.Names.HostnameLayer < network.ConfigOperator) {
		f.hostname, f.domain, _ = strings.Cut(all.Hostname, ".")
		if f.domain == "" {
			f.domain = all.Domain
		}
	}
	if f.hostname == "" {
		f.hostname = stable
	}
	if len(all.Resolvers) > 0 && (len(f.resolvers) == 0 || plan.Names.ResolverLayer < network.ConfigOperator) {
		f.resolvers = all.Resolvers
	}
	if len(f.search) == 0 {
		f.search = all.Search
	}
	if f.domain != "" && !plan.Names.DisableSearch && !slices.Contains(f.search, f.domain) {
		f.search = append(f.search, f.domain)
	}
	if len(all.Times) > 0 && (len(f.times) == 0 || plan.Time.Layer < network.ConfigOperator) {
		f.times = nil
		for _, t := range all.Times {
			f.times = append(f.times, t.String())
		}
	}
	if len(f.times) == 0 {
		f.times = defaultTimeServers
	}
	return f
}

// merged adds a lease to those before it: the first name wins, lists are joined, each entry once.
func merged(all, l Lease) Lease {
	if all.Hostname == "" {
		all.Hostname = l.Hostname
	}
	if all.Domain == "" {
		all.Domain = l.Domain
	}
	all.Resolvers = joined(all.Resolvers, l.Resolvers)
	all.Search = joined(all.Search, l.Search)
	all.Times = joined(all.Times, l.Times)
	return all
}

func joined[T comparable](a, b []T) []T {
	for _, v := range b {
		if !slices.Contains(a, v) {
			a = append(a, v)
		}
	}
	return a
}

// settle tells everybody what is: the kernel's host name, the files, the clock, the state and the screen.
func (m *Manager) settle(ctx context.Context, plan linkspec.Plan, leases map[string]Lease, shown Snapshot) {
	if m.stable == "" || m.stable == "dodeka" {
		identity := m.options.Backend.Identity()
		m.stable = linkspec.StableHostname(identity.UUID, identity.MAC)
	}
	f := factsOf(plan, leases, m.stable)
	named := m.name(f.hostname)
	nodes := nodeAddresses(shown)
	written := m.writeFiles(f, plan, nodes)
	servers := f.times
	if plan.Time.Disabled {
		servers = nil
	}
	m.time.Configure(timesync.Settings{Disabled: plan.Time.Disabled, Servers: servers, BootTimeout: plan.Time.BootTimeout})
	m.publisher.publish(ctx, plan, f, shown, network.StatusSpec{
		AddressReady: len(nodes.current) > 0, ConnectivityReady: hasDefaultRoute(shown), HostnameReady: named, EtcFilesReady: written,
	})
	if len(nodes.current) > 0 {
		m.readyOnce.Do(func() { close(m.ready) })
	}
	m.show(f, plan, shown)
}

func (m *Manager) name(hostname string) bool {
	m.mu.Lock()
	same := m.hostname == hostname
	m.mu.Unlock()
	if same {
		return true
	}
	err := m.options.Backend.SetHostname(hostname)
	m.complain("host name", err)
	if err != nil {
		return false
	}
	m.mu.Lock()
	m.hostname = hostname
	m.mu.Unlock()
	return true
}

func (m *Manager) writeFiles(f facts, plan linkspec.Plan, nodes nodes) bool {
	if m.options.Files == "" {
		return false
	}
	content := hostfiles.Content{Hostname: f.hostname, Domain: f.domain, Resolvers: f.resolvers, Search: f.search}
	if len(nodes.current) > 0 {
		content.Address = nodes.current[0].Addr()
	}
	for _, h := range plan.Names.Hosts {
		content.Hosts = append(content.Hosts, hostfiles.Host{Address: h.Address, Names: h.Aliases})
	}
	err := hostfiles.Write(m.options.Files, content)
	m.complain("host files", err)
	return err == nil
}

// show calls the hook when a person would see a difference.
func (m *Manager) show(f facts, plan linkspec.Plan, shown Snapshot) {
	next := Status{Hostname: f.hostname, Links: screenLinks(plan, shown)}
	if m.status != nil && m.status.Hostname == next.Hostname && screen.Equal(m.status.Links, next.Links) {
		return
	}
	m.status = &next
	m.options.Status(next)
}

// screenLinks lists the physical links and those of the plan, without ignored ones.
func screenLinks(plan linkspec.Plan, shown Snapshot) []screen.Link {
	names := map[string]bool{}
	for _, l := range plan.Links {
		names[l.Name] = true
	}
	var found []screen.Link
	for _, name := range slices.Sorted(maps.Keys(shown.Links)) {
		status := shown.Links[name]
		if !names[name] {
			continue
		}
		link := screen.Link{Name: name, State: "up"}
		for _, a := range shown.Addresses {
			if a.LinkName == name && a.Address.Addr().IsGlobalUnicast() {
				link.Addresses = append(link.Addresses, a.Address.String())
			}
		}
		for _, r := range shown.Routes {
			if r.OutLinkName == name && !r.Destination.IsValid() && r.Gateway.IsValid() {
				link.Gateways = joined(link.Gateways, []string{r.Gateway.String()})
			}
		}
		switch {
		case !hasCarrier(status):
			link.State = "no carrier"
		case len(link.Addresses) == 0 && status.MasterIndex == 0:
			link.State = "waiting for an address"
		}
		found = append(found, link)
	}
	return found
}
