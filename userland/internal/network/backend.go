// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/nethelpers"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"

	"dodeka/userland/internal/dhcp4"
	"dodeka/userland/internal/dhcp6"
	"dodeka/userland/internal/linkspec"
)

// Backend is the kernel, or what a test puts in its place.
type Backend interface {
	Snapshot() (Snapshot, error)
	Apply(Action) error
	Watch(ctx context.Context, changed func()) // calls changed after every change, until the context ends
	SetHostname(name string) error
	Identity() Identity
	Dial4(link string, mac net.HardwareAddr) func(source netip.Addr) (dhcp4.Exchanger, error)
	Dial6(link string, mac net.HardwareAddr) func() (dhcp6.Exchanger, error)
}

// Identity tells the machine from its neighbours.
type Identity struct {
	UUID string           // of the firmware; may be nonsense
	MAC  net.HardwareAddr // the smallest of the physical links, so that it does not depend on their order
}

// Snapshot is what the kernel shows at one moment.
type Snapshot struct {
	Links     linkspec.Links
	Addresses []network.AddressStatusSpec
	Routes    []network.RouteStatusSpec
	Renames   map[string]string // kernel's names that are only numbers, and the names by place
}

// Address is a wanted address. Valid and Preferred are the moments of a lease; zero: for ever.
type Address struct {
	network.AddressSpecSpec
	Valid, Preferred time.Time
}

// Action is one change of the kernel's state.
type Action interface{ String() string }

// The actions, in the order in which a difference lists them.
type (
	RenameLink  struct{ From, To string }
	DeleteLink  struct{ Name string }
	CreateLink  struct{ Spec network.LinkSpecSpec }
	SetHardware struct {
		Name    string
		Address nethelpers.HardwareAddr
	}
	SetMaster struct{ Name, Master string } // "": none
	SetMTU    struct {
		Name string
		MTU  uint32
	}
	SetMulticast struct {
		Name string
		On   bool
	}
	SetUp struct {
		Name string
		Up   bool
	}
	SetSysctl   struct{ Path, Value string } // below /proc/sys
	DropRoute   struct{ Spec network.RouteSpecSpec }
	DropAddress struct{ Spec network.AddressSpecSpec }
	PutAddress  struct{ Address }
	PutRoute    struct{ Spec network.RouteSpecSpec }
)

func (a RenameLink) String() string  { return fmt.Sprintf("rename %s to %s", a.From, a.To) }
func (a DeleteLink) String() string  { return "delete link " + a.Name }
func (a CreateLink) String() string  { return fmt.Sprintf("create %s %s", a.Spec.Kind, a.Spec.Name) }
func (a SetHardware) String() string { return fmt.Sprintf("%s address %s", a.Name, a.Address) }
func (a SetMaster) String() string   { return fmt.Sprintf("%s master %q", a.Name, a.Master) }
func (a SetMTU) String() string      { return fmt.Sprintf("%s MTU %d", a.Name, a.MTU) }
func (a SetMulticast) String() string {
	return fmt.Sprintf("%s multicast %v", a.Name, a.On)
}
func (a SetUp) String() string     { return fmt.Sprintf("%s up %v", a.Name, a.Up) }
func (a SetSysctl) String() string { return fmt.Sprintf("%s=%s", a.Path, a.Value) }
func (a DropRoute) String() string { return "drop route " + routeKey(a.Spec) }
func (a DropAddress) String() string {
	return "drop address " + addressKey(a.Spec.LinkName, a.Spec.Address)
}
func (a PutAddress) String() string {
	return "address " + addressKey(a.LinkName, a.AddressSpecSpec.Address)
}
func (a PutRoute) String() string { return "route " + routeKey(a.Spec) }

func addressKey(link string, p netip.Prefix) string { return link + " " + p.String() }

// routeKey is what tells routes apart for the kernel.
func routeKey(r network.RouteSpecSpec) string {
	destination, gateway := "default", "link"
	if r.Destination.IsValid() {
		destination = r.Destination.String()
	}
	if r.Gateway.IsValid() {
		gateway = r.Gateway.String()
	}
	return fmt.Sprintf("%s %s via %s dev %s metric %d table %s", r.Family, destination, gateway, r.OutLinkName, r.Priority, r.Table)
}

// shownRoute is routeKey for a route that the kernel shows.
func shownRoute(r network.RouteStatusSpec) string {
	return routeKey(network.RouteSpecSpec{
		Family: r.Family, Destination: r.Destination, Gateway: r.Gateway, OutLinkName: r.OutLinkName, Priority: r.Priority, Table: r.Table,
	})
}

// isUp, hasCarrier and isSlave read the flags of a link.
func isUp(l network.LinkStatusSpec) bool { return l.Flags&nethelpers.LinkFlags(nethelpers.LinkUp) != 0 }

func hasCarrier(l network.LinkStatusSpec) bool {
	return isUp(l) && (l.LinkState || l.OperationalState == nethelpers.OperStateUp)
}
