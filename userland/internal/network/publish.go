// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"net/netip"
	"reflect"
	"slices"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	timeresource "github.com/siderolabs/talos/pkg/machinery/resources/time"

	"dodeka/userland/internal/linkspec"
	"dodeka/userland/internal/timesync"
)

// owner marks the resources as ours: others can read but not change them.
const owner = "network.Manager"

// resolversID and timeServersID are the names under which clients look the two up.
const (
	resolversID   = "resolvers"
	timeServersID = "timeservers"
)

// maxShown bounds what is published of each kind: anyone on a link can make the kernel learn routes from advertisements.
const maxShown = 2048

// fallbackTunnels take packets that fit no other tunnel. The kernel has them whether they are used or not, and they cannot
// be removed (Linux Documentation/admin-guide/sysctl/net.rst, fb_tunnels_only_for_init_net); while down they are not shown.
var fallbackTunnels = []string{"tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"}

// publisher writes resources, only those that changed, and removes those whose subject is gone.
type publisher struct {
	state   state.State
	log     func(string)
	failed  string // what was said last
	touched map[string]bool
	first   netip.Prefix // the address that stands for the machine; kept while it is there
}

// typed is a resource with a specification.
type typed[S any] interface {
	resource.Resource
	TypedSpec() *S
}

func (p *publisher) publish(ctx context.Context, plan linkspec.Plan, f facts, shown Snapshot, status network.StatusSpec) {
	p.touched = map[string]bool{}
	p.kernel(ctx, shown)
	p.plan(ctx, plan)
	p.nodes(ctx, nodeAddresses(shown))
	ns := network.NamespaceName
	put(ctx, p, network.NewHostnameStatus(ns, network.HostnameID), network.HostnameStatusSpec{Hostname: f.hostname, Domainname: f.domain})
	put(ctx, p, network.NewResolverStatus(ns, resolversID), network.ResolverStatusSpec{DNSServers: f.resolvers, SearchDomains: f.search})
	put(ctx, p, network.NewTimeServerStatus(ns, timeServersID), network.TimeServerStatusSpec{NTPServers: f.times})
	put(ctx, p, network.NewStatus(ns, network.StatusID), status)
	for _, kind := range []resource.Type{
		network.LinkStatusType, network.AddressStatusType, network.RouteStatusType, network.LinkSpecType, network.AddressSpecType,
		network.RouteSpecType, network.OperatorSpecType, network.NodeAddressType,
	} {
		p.sweep(ctx, kind)
	}
}

func (p *publisher) kernel(ctx context.Context, shown Snapshot) {
	ns := network.NamespaceName
	for name, spec := range shown.Links {
		if slices.Contains(fallbackTunnels, name) && !isUp(spec) {
			continue
		}
		put(ctx, p, network.NewLinkStatus(ns, network.LinkID(name)), spec)
	}
	for _, a := range shown.Addresses[:min(len(shown.Addresses), maxShown)] {
		put(ctx, p, network.NewAddressStatus(ns, network.AddressID(a.LinkName, a.Address)), a)
	}
	for _, r := range shown.Routes[:min(len(shown.Routes), maxShown)] {
		put(ctx, p, network.NewRouteStatus(ns, network.RouteID(r.Table, r.Family, r.Destination, r.Gateway, r.Priority, r.OutLinkName)), r)
	}
}

func (p *publisher) plan(ctx context.Context, plan linkspec.Plan) {
	ns := network.NamespaceName
	for _, l := range plan.Links {
		put(ctx, p, network.NewLinkSpec(ns, network.LinkID(l.Name)), l)
	}
	for _, a := range plan.Addresses {
		put(ctx, p, network.NewAddressSpec(ns, network.AddressID(a.LinkName, a.Address)), a)
	}
	for _, r := range plan.Routes {
		put(ctx, p, network.NewRouteSpec(ns, network.RouteID(r.Table, r.Family, r.Destination, r.Gateway, r.Priority, r.OutLinkName)), r)
	}
	for _, o := range plan.Operators {
		put(ctx, p, network.NewOperatorSpec(ns, network.OperatorID(o)), o)
	}
}

// nodes publishes the sets of addresses that certificates and the cluster are made from.
func (p *publisher) nodes(ctx context.Context, n nodes) {
	if !slices.Contains(n.current, p.first) {
		p.first = netip.Prefix{}
		if len(n.current) > 0 {
			p.first = n.current[0]
		}
	}
	sets := map[string][]netip.Prefix{
		network.NodeAddressCurrentID: n.current, network.NodeAddressRoutedID: n.current, network.NodeAddressAccumulativeID: p.everything(ctx, n.all),
	}
	if p.first.IsValid() {
		sets[network.NodeAddressDefaultID] = []netip.Prefix{p.first}
	}
	for id, addresses := range sets {
		put(ctx, p, network.NewNodeAddress(network.NamespaceName, id), network.NodeAddressSpec{Addresses: addresses})
	}
}

// maxRemembered bounds the addresses that the machine once had: anyone on a link can make it have new ones every second,
// and its certificates name them all.
const maxRemembered = 256

// everything is each address that the machine has, and that it had since it booted, up to the bound.
func (p *publisher) everything(ctx context.Context, now []netip.Prefix) []netip.Prefix {
	all := slices.Clone(now)
	before, err := p.state.Get(ctx, network.NewNodeAddress(network.NamespaceName, network.NodeAddressAccumulativeID).Metadata())
	if old, ok := before.(*network.NodeAddress); err == nil && ok {
		all = joined(all, old.TypedSpec().Addresses)
	}
	all = all[:min(len(all), max(len(now), maxRemembered))]
	slices.SortFunc(all, comparePrefix)
	return all
}

// put creates or changes a resource when it says something else.
func put[S any, R typed[S]](ctx context.Context, p *publisher, fresh R, spec S) {
	*fresh.TypedSpec() = spec
	if p.touched != nil {
		p.touched[fresh.Metadata().Type()+"/"+fresh.Metadata().ID()] = true
	}
	held, err := p.state.Get(ctx, fresh.Metadata())
	switch {
	case state.IsNotFoundError(err):
		err = p.state.Create(ctx, fresh, state.WithCreateOwner(owner))
	case err == nil:
		if old, ok := held.(R); ok && reflect.DeepEqual(*old.TypedSpec(), spec) {
			return
		}
		_, err = p.state.UpdateWithConflicts(ctx, fresh.Metadata(), func(r resource.Resource) error {
			*r.(R).TypedSpec() = spec //nolint:forcetypeassert // the type of the metadata
			return nil
		}, state.WithUpdateOwner(owner))
	}
	p.complain(ctx, err)
}

// sweep removes our resources of a type that were not touched this time.
func (p *publisher) sweep(ctx context.Context, kind resource.Type) {
	held, err := p.state.List(ctx, resource.NewMetadata(network.NamespaceName, kind, "", resource.VersionUndefined))
	if err != nil {
		p.complain(ctx, err)
		return
	}
	for _, r := range held.Items {
		md := r.Metadata()
		if md.Owner() == owner && !p.touched[md.Type()+"/"+md.ID()] {
			p.complain(ctx, p.state.Destroy(ctx, md, state.WithDestroyOwner(owner)))
		}
	}
}

func (p *publisher) complain(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil || err.Error() == p.failed {
		return
	}
	p.failed = err.Error()
	p.log("dodeka: network: state: " + p.failed)
}

// reportTime writes time.Status.
func (m *Manager) reportTime(s timesync.Status) {
	p := publisher{state: m.options.State, log: m.options.Log}
	put(context.Background(), &p, timeresource.NewStatus(), timeresource.StatusSpec{Synced: s.Synced, Epoch: s.Epoch, SyncDisabled: s.Disabled})
}
