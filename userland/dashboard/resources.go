// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/nethelpers"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"

	"dodeka/userland/internal/dashboardview"
	"dodeka/userland/internal/screen"
)

// followStage watches what the machine is doing, and why it is not ready.
func (s *sources) followStage(ctx context.Context) error {
	return s.watch(ctx, []resource.Kind{runtime.NewMachineStatus().Metadata()}, func(all map[string]resource.Resource) {
		for _, r := range all {
			status, ok := r.(*runtime.MachineStatus)
			if !ok {
				continue
			}
			spec := status.TypedSpec()
			var unmet []string
			for _, c := range spec.Status.UnmetConditions {
				unmet = append(unmet, c.Name+": "+c.Reason)
			}
			s.model.change(func(v *dashboardview.View) {
				v.Stage, v.Ready, v.Unmet = spec.Stage.String(), spec.Status.Ready, unmet
			})
		}
	})
}

// followNetwork watches name, links, addresses and routes.
func (s *sources) followNetwork(ctx context.Context) error {
	kinds := []resource.Kind{
		network.NewHostnameStatus(network.NamespaceName, network.HostnameID).Metadata(),
		network.NewLinkStatus(network.NamespaceName, "").Metadata(),
		network.NewAddressStatus(network.NamespaceName, "").Metadata(),
		network.NewRouteStatus(network.NamespaceName, "").Metadata(),
	}
	return s.watch(ctx, kinds, func(all map[string]resource.Resource) {
		name, links := networkOf(all)
		s.model.change(func(v *dashboardview.View) { v.Hostname, v.Links = name, links })
	})
}

// watch keeps every resource of some kinds, and calls show whenever any changed. It ends with the watch.
func (s *sources) watch(ctx context.Context, kinds []resource.Kind, show func(map[string]resource.Resource)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events := make(chan []state.Event)
	for _, kind := range kinds {
		if err := s.state.WatchKindAggregated(ctx, kind, events, state.WithBootstrapContents(true)); err != nil {
			return err
		}
	}
	all := map[string]resource.Resource{}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case batch := <-events:
			for _, event := range batch {
				switch event.Type {
				case state.Errored:
					return event.Error
				case state.Created, state.Updated:
					all[resource.String(event.Resource)] = event.Resource
				case state.Destroyed:
					delete(all, resource.String(event.Resource))
				}
			}
			show(all)
		}
	}
}

// networkOf joins the resources: addresses and default routes go to their link. Only Ethernet links are shown, and of
// addresses those that others can reach.
func networkOf(all map[string]resource.Resource) (hostname string, links []screen.Link) {
	byName := map[string]*screen.Link{}
	for _, r := range all {
		switch r := r.(type) {
		case *network.HostnameStatus:
			hostname = r.TypedSpec().Hostname
		case *network.LinkStatus:
			if spec := r.TypedSpec(); spec.Type == nethelpers.LinkEther && shown(spec) {
				byName[r.Metadata().ID()] = &screen.Link{Name: r.Metadata().ID(), State: linkState(spec)}
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		switch r := all[id].(type) {
		case *network.AddressStatus:
			spec := r.TypedSpec()
			if l := byName[spec.LinkName]; l != nil && spec.Address.Addr().IsGlobalUnicast() {
				l.Addresses = append(l.Addresses, spec.Address.String())
			}
		case *network.RouteStatus:
			spec := r.TypedSpec()
			if l := byName[spec.OutLinkName]; l != nil && spec.Destination.Bits() <= 0 && spec.Gateway.IsValid() {
				l.Gateways = append(l.Gateways, spec.Gateway.String())
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		link := byName[name]
		slices.SortFunc(link.Addresses, compareAddresses)
		if link.State == stateUp && len(link.Addresses) == 0 {
			link.State = "up, no address"
		}
		links = append(links, *link)
	}
	return hostname, links
}

// shown leaves out what containers make: those come and go by the hundred.
func shown(l *network.LinkStatusSpec) bool {
	return l.Kind == "" || l.Kind == network.LinkKindBond || l.Kind == network.LinkKindVLAN || l.Kind == network.LinkKindBridge
}

const stateUp = "up"

func linkState(l *network.LinkStatusSpec) string {
	if l.OperationalState == nethelpers.OperStateUp || l.LinkState {
		return stateUp
	}
	return "no carrier"
}

// compareAddresses puts version 4 first, as people type that one.
func compareAddresses(a, b string) int {
	if six := strings.Contains(a, ":"); six != strings.Contains(b, ":") {
		if six {
			return 1
		}
		return -1
	}
	return strings.Compare(a, b)
}
