// SPDX-License-Identifier: Apache-2.0

// Package linkspec computes what the network of the machine shall look like: links, addresses, routes, DHCP clients and
// names, as a pure function of the configuration, the platform, the kernel command line and the links there are.
// Layers, the lowest first: defaults, kernel arguments, platform, machine configuration (a lease comes between the last
// two and is merged by package network). The kernel is neither read nor changed here.
// Left out: bridges, VRF, WireGuard, virtual addresses, routing rules; a document of such a kind becomes a problem.
package linkspec

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/nethelpers"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
)

// Links is what the kernel shows, by name.
type Links map[string]network.LinkStatusSpec

// Input is everything that decides about the plan.
type Input struct {
	Config   config.Config               // nil: the machine has none yet
	Platform *network.PlatformConfigSpec // nil: the platform says nothing
	Cmdline  string                      // of the kernel
	Links    Links
}

// Plan is the wanted state. Slices are sorted, so that equal inputs give equal plans.
type Plan struct {
	Links     []network.LinkSpecSpec // a parent or master comes before what needs it
	Addresses []network.AddressSpecSpec
	Routes    []network.RouteSpecSpec
	Operators []network.OperatorSpecSpec
	Ignored   []string          // links that nobody here touches
	Aliases   map[string]string // alias to link name
	Names     Names
	Time      Time
	Problems  []string // what could not be followed, in the order of the configuration
}

// Names is what the machine calls itself and whom it asks about others. A layer says who decided: a lease overrides what
// comes from below network.ConfigOperator, and an empty field.
type Names struct {
	Hostname, Domain string
	HostnameLayer    network.ConfigLayer
	Resolvers        []netip.Addr
	ResolverLayer    network.ConfigLayer
	Search           []string
	DisableSearch    bool
	Hosts            []Host
}

// Host is a line of /etc/hosts.
type Host struct {
	Address netip.Addr
	Aliases []string
}

// Time says whom to ask for the time.
type Time struct {
	Disabled    bool
	Servers     []string
	Layer       network.ConfigLayer // of Servers
	BootTimeout time.Duration       // 0: the default
}

// builder collects the layers; a later layer overrides what an earlier one said about the same thing.
type builder struct {
	input      Input
	plan       Plan
	links      map[string]network.LinkSpecSpec
	addresses  map[string]network.AddressSpecSpec
	routes     map[string]network.RouteSpecSpec
	operators  map[string]network.OperatorSpecSpec
	configured map[string]bool // links that a layer above the defaults speaks of
	ignored    map[string]bool
}

// Compute returns the plan. It never fails: what cannot be followed is listed as a problem and left out, so that one
// wrong line does not take the machine off the network.
func Compute(in Input) Plan {
	b := &builder{
		input: in, links: map[string]network.LinkSpecSpec{}, addresses: map[string]network.AddressSpecSpec{},
		routes: map[string]network.RouteSpecSpec{}, operators: map[string]network.OperatorSpecSpec{},
		configured: map[string]bool{}, ignored: map[string]bool{},
	}
	b.plan.Aliases = b.aliases()
	b.cmdline()
	b.platform()
	if in.Config != nil {
		b.devices()
		b.documents()
		b.names()
	}
	b.defaults()
	return b.finish()
}

// defaults brings every physical link up, and runs DHCP on those that nothing else speaks of.
func (b *builder) defaults() {
	run := b.input.Config == nil || b.input.Config.RunDefaultDHCPOperators()
	for name, status := range b.input.Links {
		if !status.Physical() || b.ignored[name] || b.configured[name] {
			continue
		}
		b.links[name] = network.LinkSpecSpec{Name: name, Up: true, ConfigLayer: network.ConfigDefault}
		if run {
			// The index keeps two links with a default route from replacing each other's.
			b.dhcp4(name, network.DHCP4OperatorSpec{
				RouteMetric:      network.DefaultRouteMetric + status.Index,
				ClientIdentifier: network.ClientIdentifierSpec{ClientIdentifier: nethelpers.ClientIdentifierMAC},
			}, network.ConfigDefault)
		}
	}
}

// resolve turns an alias into the name of the link.
func (b *builder) resolve(name string) string {
	if _, ok := b.input.Links[name]; ok {
		return name
	}
	if target, ok := b.plan.Aliases[name]; ok {
		return target
	}
	return name
}

func (b *builder) problem(format string, values ...any) {
	b.plan.Problems = append(b.plan.Problems, fmt.Sprintf(format, values...))
}

// link merges a specification over what lower layers said about that link.
func (b *builder) link(spec network.LinkSpecSpec) {
	if !ValidName(spec.Name) {
		b.problem("link %q: not a name that the kernel takes", spec.Name)
		return
	}
	b.configured[spec.Name] = true
	held, ok := b.links[spec.Name]
	if !ok {
		b.links[spec.Name] = spec
		return
	}
	if err := held.Merge(&spec); err != nil {
		b.problem("link %s: %v", spec.Name, err)
		return
	}
	if spec.ConfigLayer == network.ConfigMachineConfiguration && !spec.Up && !isSlave(spec) {
		held.Up = false // Merge cannot take a false
	}
	b.links[spec.Name] = held
}

func isSlave(spec network.LinkSpecSpec) bool { return spec.BondSlave.MasterName != "" }

func (b *builder) address(spec network.AddressSpecSpec) {
	spec.Family, spec.Scope = familyOf(spec.Address.Addr()), nethelpers.ScopeGlobal
	if spec.Address.Addr().IsLinkLocalUnicast() {
		spec.Scope = nethelpers.ScopeLink
	}
	spec.Flags = nethelpers.AddressFlags(nethelpers.AddressPermanent)
	if spec.Priority != 0 {
		b.problem("address %s of %s: routePriority is not supported", spec.Address, spec.LinkName)
		spec.Priority = 0
	}
	b.addresses[network.AddressID(spec.LinkName, spec.Address)] = spec
}

func (b *builder) route(spec network.RouteSpecSpec) {
	b.routes[spec.OutLinkName+" "+network.RouteID(spec.Table, spec.Family, spec.Destination, spec.Gateway, spec.Priority, spec.OutLinkName)] = spec
}

func (b *builder) operator(spec network.OperatorSpecSpec) {
	spec.RequireUp = true
	b.operators[network.OperatorID(spec)] = spec
}

func (b *builder) dhcp4(link string, spec network.DHCP4OperatorSpec, layer network.ConfigLayer) {
	b.operator(network.OperatorSpecSpec{Operator: network.OperatorDHCP4, LinkName: link, DHCP4: spec, ConfigLayer: layer})
}

func (b *builder) dhcp6(link string, spec network.DHCP6OperatorSpec, layer network.ConfigLayer) {
	b.operator(network.OperatorSpecSpec{Operator: network.OperatorDHCP6, LinkName: link, DHCP6: spec, ConfigLayer: layer})
}

func familyOf(a netip.Addr) nethelpers.Family {
	if a.Is4() {
		return nethelpers.FamilyInet4
	}
	return nethelpers.FamilyInet6
}

// ValidName tells whether the kernel takes a name for an interface (dev_valid_name in net/core/dev.c), printable ones
// only, and none of the names that sysctl directories use.
func ValidName(name string) bool {
	const maxName = 15 // IFNAMSIZ less the NUL
	if name == "" || len(name) > maxName || slices.Contains([]string{".", "..", "all", "default"}, name) {
		return false
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c > '~' || c == '/' || c == ':' {
			return false
		}
	}
	return true
}
