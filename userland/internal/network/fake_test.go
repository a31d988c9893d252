// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/siderolabs/talos/pkg/machinery/nethelpers"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"

	"dodeka/userland/internal/dhcp4"
	"dodeka/userland/internal/dhcp6"
	"dodeka/userland/internal/linkspec"
)

const (
	flagUp    = nethelpers.LinkFlags(nethelpers.LinkUp)
	flagMulti = nethelpers.LinkFlags(nethelpers.LinkMulticast)
)

// fake is a kernel in memory. It refuses what the real one refuses.
type fake struct {
	mu       sync.Mutex
	shown    Snapshot
	next     uint32
	log      []string
	hostname string
	changed  func()
	server   bool // DHCP answers
}

func newFake(names ...string) *fake {
	f := &fake{next: 1, shown: Snapshot{Links: linkspec.Links{}, Renames: map[string]string{}}}
	f.link("lo", network.LinkStatusSpec{Type: nethelpers.LinkLoopbck})
	for i, name := range names {
		mac := nethelpers.HardwareAddr{2, 0, 0, 0, 0, byte(i + 1)}
		f.link(name, network.LinkStatusSpec{Type: nethelpers.LinkEther, HardwareAddr: mac, PermanentAddr: mac, MTU: 1500, LinkState: true, Flags: flagMulti})
	}
	return f
}

func (f *fake) link(name string, spec network.LinkStatusSpec) {
	spec.Index = f.next
	f.next++
	f.shown.Links[name] = spec
}

func (f *fake) Snapshot() (Snapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Snapshot{
		Links: maps.Clone(f.shown.Links), Addresses: slices.Clone(f.shown.Addresses), Routes: slices.Clone(f.shown.Routes),
		Renames: maps.Clone(f.shown.Renames),
	}, nil
}

func (f *fake) Watch(ctx context.Context, changed func()) {
	f.mu.Lock()
	f.changed = changed
	f.mu.Unlock()
	<-ctx.Done()
}

func (f *fake) SetHostname(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hostname = name
	return nil
}

func (f *fake) Identity() Identity { return Identity{MAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}} }

func (f *fake) Dial4(string, net.HardwareAddr) func(netip.Addr) (dhcp4.Exchanger, error) {
	return func(netip.Addr) (dhcp4.Exchanger, error) { return answering{f}, nil }
}

func (f *fake) Dial6(string, net.HardwareAddr) func() (dhcp6.Exchanger, error) {
	return func() (dhcp6.Exchanger, error) { return nil, errors.New("no DHCPv6 here") }
}

// setCarrier pulls the cable or puts it back.
func (f *fake) setCarrier(name string, has bool) {
	f.mu.Lock()
	l := f.shown.Links[name]
	l.LinkState = has
	f.shown.Links[name] = l
	changed := f.changed
	f.mu.Unlock()
	changed()
}

func (f *fake) Apply(a Action) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, a.String())
	switch a := a.(type) {
	case RenameLink:
		f.shown.Links[a.To] = f.shown.Links[a.From]
		delete(f.shown.Links, a.From)
		delete(f.shown.Renames, a.From)
	case CreateLink:
		if a.Spec.ParentName != "" && f.shown.Links[a.Spec.ParentName].Index == 0 {
			return errors.New("no parent")
		}
		f.link(a.Spec.Name, network.LinkStatusSpec{Type: nethelpers.LinkEther, Kind: a.Spec.Kind, MTU: 1500, LinkState: true,
			HardwareAddr: nethelpers.HardwareAddr{6, 0, 0, 0, 0, byte(f.next)}, Flags: flagMulti})
	case DeleteLink:
		f.remove(a.Name)
	case PutAddress:
		f.shown.Addresses = slices.DeleteFunc(f.shown.Addresses, func(s network.AddressStatusSpec) bool {
			return s.LinkName == a.LinkName && s.Address == a.AddressSpecSpec.Address
		})
		f.shown.Addresses = append(f.shown.Addresses, network.AddressStatusSpec{Address: a.AddressSpecSpec.Address, LinkName: a.LinkName, Family: a.Family})
	case DropAddress:
		f.shown.Addresses = slices.DeleteFunc(f.shown.Addresses, func(s network.AddressStatusSpec) bool {
			return s.LinkName == a.Spec.LinkName && s.Address == a.Spec.Address
		})
	case PutRoute:
		return f.putRoute(a.Spec)
	case DropRoute:
		f.shown.Routes = slices.DeleteFunc(f.shown.Routes, func(s network.RouteStatusSpec) bool { return shownRoute(s) == routeKey(a.Spec) })
	case SetSysctl:
	default:
		return f.change(a)
	}
	return nil
}

func (f *fake) putRoute(r network.RouteSpecSpec) error {
	if !isUp(f.shown.Links[r.OutLinkName]) {
		return errors.New("network is down")
	}
	f.shown.Routes = append(f.shown.Routes, network.RouteStatusSpec{Family: r.Family, Destination: r.Destination, Gateway: r.Gateway,
		OutLinkName: r.OutLinkName, Priority: r.Priority, Table: r.Table, Type: r.Type, Protocol: r.Protocol, Source: r.Source})
	return nil
}

func (f *fake) change(action Action) error {
	name := ""
	edit := func(n string, do func(*network.LinkStatusSpec)) {
		name = n
		l := f.shown.Links[n]
		do(&l)
		f.shown.Links[n] = l
	}
	switch a := action.(type) {
	case SetUp:
		edit(a.Name, func(l *network.LinkStatusSpec) {
			l.Flags &^= flagUp
			if a.Up {
				l.Flags |= flagUp
			}
		})
	case SetMTU:
		edit(a.Name, func(l *network.LinkStatusSpec) { l.MTU = a.MTU })
	case SetMulticast:
		edit(a.Name, func(l *network.LinkStatusSpec) { l.Flags ^= flagMulti })
	case SetHardware:
		edit(a.Name, func(l *network.LinkStatusSpec) { l.HardwareAddr = a.Address })
	case SetMaster:
		if a.Master != "" && isUp(f.shown.Links[a.Name]) {
			return errors.New("device can not be enslaved while up")
		}
		edit(a.Name, func(l *network.LinkStatusSpec) {
			if l.MasterIndex = f.shown.Links[a.Master].Index; a.Master != "" {
				l.Flags |= flagUp
			}
		})
	default:
		return fmt.Errorf("BUG: %T", a)
	}
	if f.shown.Links[name].Index == 0 {
		return errors.New("no such link " + name)
	}
	return nil
}

func (f *fake) remove(name string) {
	index := f.shown.Links[name].Index
	delete(f.shown.Links, name)
	for other, l := range f.shown.Links {
		if l.MasterIndex == index {
			l.MasterIndex = 0
			f.shown.Links[other] = l
		}
	}
	f.shown.Addresses = slices.DeleteFunc(f.shown.Addresses, func(s network.AddressStatusSpec) bool { return s.LinkName == name })
	f.shown.Routes = slices.DeleteFunc(f.shown.Routes, func(s network.RouteStatusSpec) bool { return s.OutLinkName == name })
}

// answering is a DHCP server that gives 10.0.2.15 and everything else that a lease can hold, or is silent.
type answering struct{ f *fake }

func (answering) Close() error { return nil }

func (s answering) SendAndRead(ctx context.Context, _ *net.UDPAddr, p *dhcpv4.DHCPv4, match nclient4.Matcher) (*dhcpv4.DHCPv4, error) {
	s.f.mu.Lock()
	answers := s.f.server
	s.f.mu.Unlock()
	if !answers {
		wait(ctx, 15_500_000_000)
		return nil, errors.New("no answer")
	}
	kind := dhcpv4.MessageTypeAck
	if p.MessageType() == dhcpv4.MessageTypeDiscover {
		kind = dhcpv4.MessageTypeOffer
	}
	answer, err := dhcpv4.NewReplyFromRequest(p, dhcpv4.WithMessageType(kind), dhcpv4.WithYourIP(net.IPv4(10, 0, 2, 15)),
		dhcpv4.WithNetmask(net.CIDRMask(24, 32)), dhcpv4.WithRouter(net.IPv4(10, 0, 2, 2)), dhcpv4.WithDNS(net.IPv4(10, 0, 2, 3)),
		dhcpv4.WithLeaseTime(3600), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(10, 0, 2, 2))),
		dhcpv4.WithOption(dhcpv4.OptHostName("leased")), dhcpv4.WithOption(dhcpv4.OptDomainName("example.org")),
		dhcpv4.WithOption(dhcpv4.OptNTPServers(net.IPv4(10, 0, 2, 4))),
		dhcpv4.WithOption(dhcpv4.OptGeneric(dhcpv4.OptionInterfaceMTU, []byte{5, 0x78})))
	if err != nil || !match(answer) {
		return nil, errors.New("no match")
	}
	return answer, nil
}
