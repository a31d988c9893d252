// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
)

// place is what the member is called and where it is.
type place struct {
	name       string
	advertised []netip.Addr
	listenClients,
	listenPeers []netip.Addr
}

var errNoAddress = errors.New("the machine has no address that etcd may advertise")

// place reads what the machine has now.
func (s *Service) place(ctx context.Context) (place, error) {
	name, err := safe.StateGetByID[*network.HostnameStatus](ctx, s.State, network.HostnameID)
	if err != nil {
		return place{}, err
	}
	first, err := s.addresses(ctx, network.NodeAddressDefaultID)
	if err != nil {
		return place{}, err
	}
	all, err := s.addresses(ctx, network.NodeAddressCurrentID)
	if err != nil {
		return place{}, err
	}
	at := place{name: name.TypedSpec().Hostname, advertised: first}
	etcd := s.Cluster.Etcd()
	if subnets := etcd.AdvertisedSubnets(); len(subnets) > 0 {
		at.advertised = chosen(all, append(slices.Clone(subnets), s.pods()...))
	}
	if len(at.advertised) == 0 || at.name == "" {
		return place{}, errNoAddress
	}
	at.listenClients, at.listenPeers = everywhere(), everywhere()
	if subnets := etcd.ListenSubnets(); len(subnets) > 0 {
		at.listenPeers = chosen(all, append(slices.Clone(subnets), s.pods()...))
		if len(at.listenPeers) == 0 {
			return place{}, errNoAddress
		}
		at.listenClients = append(slices.Clone(at.listenPeers), netip.MustParseAddr("127.0.0.1")) // this process asks there
	}
	return at, nil
}

// pods leaves out the machine's address on the network of its pods.
func (s *Service) pods() (without []string) {
	for _, subnet := range s.Cluster.Network().PodCIDRs() {
		without = append(without, "!"+subnet)
	}
	return without
}

// everywhere is every address, of both versions of IP where the kernel has both.
func everywhere() []netip.Addr {
	if _, err := os.Stat("/proc/net/if_inet6"); err != nil {
		return []netip.Addr{netip.IPv4Unspecified()}
	}
	return []netip.Addr{netip.IPv6Unspecified()}
}

func (s *Service) addresses(ctx context.Context, id string) (list []netip.Addr, err error) {
	found, err := safe.StateGetByID[*network.NodeAddress](ctx, s.State, id)
	if state.IsNotFoundError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, prefix := range found.TypedSpec().Addresses {
		list = append(list, prefix.Addr())
	}
	return list, nil
}

// chosen are the addresses within one of the subnets and within none that has a "!" before it. Without a subnet to be
// within, all are.
func chosen(addresses []netip.Addr, subnets []string) (list []netip.Addr) {
	var within, without []netip.Prefix
	for _, text := range subnets {
		if subnet, isExcluded := strings.CutPrefix(text, "!"); isExcluded {
			without = append(without, subnetOf(subnet))
		} else {
			within = append(within, subnetOf(text))
		}
	}
	for _, address := range addresses {
		contains := func(subnet netip.Prefix) bool { return subnet.Contains(address) }
		if (len(within) == 0 || slices.ContainsFunc(within, contains)) && !slices.ContainsFunc(without, contains) {
			list = append(list, address)
		}
	}
	return list
}

// subnetOf takes an address for a subnet of it alone. Machinery has refused all else.
func subnetOf(text string) netip.Prefix {
	if subnet, err := netip.ParsePrefix(text); err == nil {
		return subnet
	}
	address, _ := netip.ParseAddr(text)
	return netip.PrefixFrom(address, address.BitLen())
}
