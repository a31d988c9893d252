// SPDX-License-Identifier: Apache-2.0

package apiproxy

import (
	"context"
	"net/netip"
	"sync"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
)

// addresses knows under which names this machine is called.
type addresses struct {
	mu    sync.Mutex
	ips   map[netip.Addr]bool
	names map[string]bool
}

// follow takes over what the network reports until ctx ends.
func (a *addresses) follow(ctx context.Context, resources state.State) error {
	events := make(chan state.Event)
	for _, wanted := range []*resource.Metadata{
		network.NewNodeAddress(network.NamespaceName, network.NodeAddressCurrentID).Metadata(),
		network.NewHostnameStatus(network.NamespaceName, network.HostnameID).Metadata(),
	} {
		if err := resources.Watch(ctx, wanted, events); err != nil {
			return err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-events:
			if event.Type == state.Errored {
				return event.Error
			}
			a.take(event)
		}
	}
}

func (a *addresses) take(event state.Event) {
	if event.Type != state.Created && event.Type != state.Updated {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch r := event.Resource.(type) {
	case *network.NodeAddress:
		a.ips = map[netip.Addr]bool{}
		for _, prefix := range r.TypedSpec().Addresses {
			a.ips[prefix.Addr().Unmap()] = true
		}
	case *network.HostnameStatus:
		a.names = map[string]bool{r.TypedSpec().Hostname: true, r.TypedSpec().FQDN(): true}
		delete(a.names, "")
	}
}

// has tells whether a target of a call is this machine.
func (a *addresses) has(target string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ip, err := netip.ParseAddr(target); err == nil {
		return ip.IsLoopback() || a.ips[ip.Unmap()]
	}
	return target == "localhost" || a.names[target]
}
