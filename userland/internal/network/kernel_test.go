// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/impl/inmem"
	"github.com/cosi-project/runtime/pkg/state/impl/namespaced"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	configresource "github.com/siderolabs/talos/pkg/machinery/resources/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"dodeka/userland/internal/linkspec"
)

// inside runs a test again as a process in network and host name namespaces of its own, where it can do no harm, and
// returns true in that process. Where namespaces are not to be had the test is skipped.
func inside(t *testing.T) bool {
	const mark = "DODEKA_TEST_NAMESPACE"
	if os.Getenv(mark) != "" {
		return true
	}
	command := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	command.Env = append(os.Environ(), mark+"=1")
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWUTS}
	output, err := command.CombinedOutput()
	switch {
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS):
		t.Skipf("network namespaces: %v", err)
	case err != nil:
		t.Fatalf("%v\n%s", err, output)
	case strings.Contains(string(output), "--- SKIP"):
		t.Skipf("in the namespace:\n%s", output)
	}
	return false
}

// counting tells whether anything is still being changed.
type counting struct {
	*Kernel
	applied atomic.Int32
}

func (c *counting) Apply(a Action) error {
	c.applied.Add(1)
	return c.Kernel.Apply(a)
}

func TestKernelHoldsALease(t *testing.T) {
	if !inside(t) {
		return
	}
	wire(t)
	serveDHCP(t)
	backend := &counting{Kernel: NewKernel("/sys", true)}
	m := start(t, backend, kind+"DHCPv4Config\nname: a\n---\n"+kind+"LinkConfig\nname: a\nmtu: 1400\naddresses: [{address: 'fd00::5/64'}]\n"+
		"routes: [{destination: 10.8.0.0/16, gateway: 10.9.0.7, metric: 7}]\n")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	eventually(t, "address", func(s Snapshot) bool { return hasAddress(s, "a", "10.9.0.50/24") && hasAddress(s, "a", "fd00::5/64") })
	if err := m.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	eventually(t, "routes", func(s Snapshot) bool {
		return hasRoute(s, "inet4 default via 10.9.0.1 dev a metric 1024 table main") && hasRoute(s, "inet4 10.8.0.0/16 via 10.9.0.7 dev a metric 7 table main") &&
			s.Links["a"].MTU == 1400
	})
	time.Sleep(time.Second)
	before := backend.applied.Load()
	m.poke()
	time.Sleep(time.Second)
	if after := backend.applied.Load(); after != before {
		t.Errorf("%d more actions though nothing changed", after-before)
	}
	setPeer(t, netlink.LinkSetDown)
	eventually(t, "lease dropped without a carrier", func(s Snapshot) bool { return !hasAddress(s, "a", "10.9.0.50/24") })
	setPeer(t, netlink.LinkSetUp)
	eventually(t, "lease back", func(s Snapshot) bool {
		return hasAddress(s, "a", "10.9.0.50/24") && hasRoute(s, "inet4 default via 10.9.0.1 dev a metric 1024 table main")
	})
}

func TestKernelMakesLinks(t *testing.T) {
	specs := []network.LinkSpecSpec{
		{Name: "test0", Kind: linkspec.KindDummy},
		{Name: "test0", Kind: network.LinkKindBond, BondMaster: network.BondMasterSpec{Mode: 1, MIIMon: 100}},
		{Name: "test0", Kind: network.LinkKindVLAN, ParentName: "a", VLAN: network.VLANSpec{VID: 7, Protocol: unix.ETH_P_8021Q}},
	}
	if !inside(t) {
		return
	}
	wire(t)
	backend := NewKernel("/sys", true)
	for _, spec := range specs {
		t.Run(spec.Kind, func(t *testing.T) {
			err := backend.Apply(CreateLink{spec})
			if errors.Is(err, unix.EOPNOTSUPP) {
				t.Skipf("this kernel has no links of kind %s", spec.Kind)
			}
			if err != nil {
				t.Fatal(err)
			}
			shown, err := backend.Snapshot()
			if got := shown.Links["test0"]; err != nil || got.Kind != spec.Kind || got.VLAN != spec.VLAN || got.BondMaster.Mode != spec.BondMaster.Mode {
				t.Errorf("got %+v, %v", got, err)
			}
			if err := backend.Apply(DeleteLink{"test0"}); err != nil {
				t.Error(err)
			}
		})
	}
}

// wire makes a pair of links: a, which is the machine's, and b, the network.
func wire(t *testing.T) {
	t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "a"
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "b"}); err != nil {
		t.Skipf("veth: %v", err)
	}
	setPeer(t, netlink.LinkSetUp)
	setPeer(t, func(l netlink.Link) error {
		return netlink.AddrAdd(l, &netlink.Addr{IPNet: &net.IPNet{IP: net.IPv4(10, 9, 0, 1).To4(), Mask: net.CIDRMask(24, 32)}})
	})
}

func setPeer(t *testing.T, do func(netlink.Link) error) {
	t.Helper()
	if err := withLink("b", do); err != nil {
		t.Fatal(err)
	}
}

func serveDHCP(t *testing.T) {
	t.Helper()
	server, err := server4.NewServer("b", &net.UDPAddr{IP: net.IPv4zero, Port: 67}, func(conn net.PacketConn, _ net.Addr, m *dhcpv4.DHCPv4) {
		kind := dhcpv4.MessageTypeAck
		if m.MessageType() == dhcpv4.MessageTypeDiscover {
			kind = dhcpv4.MessageTypeOffer
		}
		answer, err := dhcpv4.NewReplyFromRequest(m, dhcpv4.WithMessageType(kind), dhcpv4.WithYourIP(net.IPv4(10, 9, 0, 50)),
			dhcpv4.WithNetmask(net.CIDRMask(24, 32)), dhcpv4.WithRouter(net.IPv4(10, 9, 0, 1)), dhcpv4.WithLeaseTime(600),
			dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(10, 9, 0, 1))))
		if err == nil {
			_, _ = conn.WriteTo(answer.ToBytes(), &net.UDPAddr{IP: net.IPv4bcast, Port: 68})
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve() }()
	t.Cleanup(func() { _ = server.Close() })
}

func start(t *testing.T, backend Backend, text string) *Manager {
	t.Helper()
	provider, err := configloader.NewFromBytes([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	st := state.WrapCore(namespaced.NewState(inmem.Build))
	if err := st.Create(t.Context(), configresource.NewMachineConfig(provider)); err != nil {
		t.Fatal(err)
	}
	m := New(Options{State: st, Backend: backend, Log: func(text string) { t.Log(text) }})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = m.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return m
}

func eventually(t *testing.T, what string, check func(Snapshot) bool) {
	t.Helper()
	var shown Snapshot
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		var err error
		if shown, err = NewKernel("/sys", true).Snapshot(); err == nil && check(shown) {
			return
		}
	}
	t.Fatalf("%s: still %+v %+v", what, shown.Addresses, shown.Routes)
}

func hasAddress(s Snapshot, link, text string) bool {
	return slices.ContainsFunc(s.Addresses, func(a network.AddressStatusSpec) bool { return a.LinkName == link && a.Address.String() == text })
}

func hasRoute(s Snapshot, key string) bool {
	return slices.ContainsFunc(s.Routes, func(r network.RouteStatusSpec) bool { return shownRoute(r) == key })
}
