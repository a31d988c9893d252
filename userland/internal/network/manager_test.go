// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/impl/inmem"
	"github.com/cosi-project/runtime/pkg/state/impl/namespaced"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	configresource "github.com/siderolabs/talos/pkg/machinery/resources/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
)

func prefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }

// machine is a Manager over a fake kernel, in false time.
type machine struct {
	*Manager
	t     *testing.T
	fake  *fake
	state state.State
	dir   string

	mu    sync.Mutex
	lines []string
	last  Status
}

func run(t *testing.T, f *fake, script func(m *machine)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		m := &machine{t: t, fake: f, state: state.WrapCore(namespaced.NewState(inmem.Build)), dir: dir}
		m.Manager = New(Options{
			State: m.state, Backend: f, Files: dir,
			Log: func(text string) {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.lines = append(m.lines, text)
			},
			Status: func(s Status) {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.last = s
			},
		})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := m.Run(ctx); err != nil {
				t.Error(err)
			}
		}()
		m.settleFor(time.Second)
		script(m)
		cancel()
		<-done
		synctest.Wait()
	})
}

func (m *machine) settleFor(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (m *machine) configure(text string) {
	m.t.Helper()
	provider, err := configloader.NewFromBytes([]byte(text))
	if err != nil {
		m.t.Fatal(err)
	}
	if err := m.state.Create(context.Background(), configresource.NewMachineConfig(provider)); err != nil {
		m.t.Fatal(err)
	}
	m.settleFor(time.Second)
}

func (m *machine) addresses() (found []string) {
	shown, _ := m.fake.Snapshot()
	for _, a := range shown.Addresses {
		found = append(found, a.LinkName+" "+a.Address.String())
	}
	return found
}

func (m *machine) expectAddresses(what string, want ...string) {
	m.t.Helper()
	if got := m.addresses(); !slices.Equal(got, want) {
		m.t.Errorf("%s: addresses %q, want %q", what, got, want)
	}
}

func (m *machine) expectFile(name, want string) {
	m.t.Helper()
	if got, err := os.ReadFile(filepath.Join(m.dir, name)); err != nil || string(got) != want {
		m.t.Errorf("%s: got %q (%v), want %q", name, got, err, want)
	}
}

func TestRunTakesALeaseOnEveryPhysicalLink(t *testing.T) {
	f := newFake("a")
	f.server = true
	run(t, f, func(m *machine) {
		if err := m.WaitReady(context.Background()); err != nil {
			t.Fatal(err)
		}
		m.expectAddresses("leased", "a 10.0.2.15/24")
		m.expectFile("hostname", "leased\n")
		m.expectFile("resolv.conf", "search example.org\nnameserver 10.0.2.3\n")
		m.expectFile("hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n10.0.2.15 leased.example.org leased\n")
		if f.hostname != "leased" || m.Hostname() != "leased" || f.shown.Links["a"].MTU != 1400 || m.Physical() != 1 {
			t.Errorf("host name %q, MTU %d", f.hostname, f.shown.Links["a"].MTU)
		}
		link := m.last.Links[0]
		if link.Name != "a" || link.State != "up" || !slices.Equal(link.Gateways, []string{"10.0.2.2"}) {
			t.Errorf("shows %+v", m.last)
		}
		expectResources(t, m.state)
	})
}

// expectResources checks what talosctl get would show.
func expectResources(t *testing.T, st state.State) {
	t.Helper()
	ctx := context.Background()
	link, err := safe.StateGetByID[*network.LinkStatus](ctx, st, "a")
	if err != nil || link.TypedSpec().HardwareAddr.String() != "02:00:00:00:00:01" || link.Metadata().Owner() != owner {
		t.Errorf("link %v, %v", link, err)
	}
	if _, err := safe.StateGetByID[*network.AddressStatus](ctx, st, "a/10.0.2.15/24"); err != nil {
		t.Error(err)
	}
	if _, err := safe.StateGetByID[*network.RouteStatus](ctx, st, "inet4/10.0.2.2//1026"); err != nil {
		t.Error(err)
	}
	if _, err := safe.StateGetByID[*network.OperatorSpec](ctx, st, "dhcp4/a"); err != nil {
		t.Error(err)
	}
	name, err := safe.StateGetByID[*network.HostnameStatus](ctx, st, network.HostnameID)
	if err != nil || name.TypedSpec().FQDN() != "leased.example.org" {
		t.Errorf("host name %v, %v", name, err)
	}
	times, err := safe.StateGetByID[*network.TimeServerStatus](ctx, st, timeServersID)
	if err != nil || !slices.Equal(times.TypedSpec().NTPServers, []string{"10.0.2.4"}) {
		t.Errorf("time servers %v, %v", times, err)
	}
	for _, id := range []string{network.NodeAddressDefaultID, network.NodeAddressCurrentID, network.NodeAddressRoutedID, network.NodeAddressAccumulativeID} {
		node, err := safe.StateGetByID[*network.NodeAddress](ctx, st, id)
		if err != nil || !slices.Equal(node.TypedSpec().Addresses, []netip.Prefix{prefix("10.0.2.15/24")}) {
			t.Errorf("node address %s: %v, %v", id, node, err)
		}
	}
	status, err := safe.StateGetByID[*network.Status](ctx, st, network.StatusID)
	if want := (network.StatusSpec{AddressReady: true, ConnectivityReady: true, HostnameReady: true, EtcFilesReady: true}); err != nil || *status.TypedSpec() != want {
		t.Errorf("status %+v, %v", status, err)
	}
}

func TestRunWithoutAnAnswerIsNotReadyAndGoesOn(t *testing.T) {
	f := newFake("a")
	run(t, f, func(m *machine) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := m.WaitReady(ctx); err == nil {
			t.Error("ready without an address")
		}
		if !strings.HasPrefix(m.Hostname(), "dodeka-") || m.last.Links[0].State != "waiting for an address" {
			t.Errorf("name %q, shows %+v", m.Hostname(), m.last)
		}
		f.mu.Lock()
		f.server = true
		f.mu.Unlock()
		m.settleFor(time.Minute)
		m.expectAddresses("late", "a 10.0.2.15/24")
	})
}

func TestRunDropsALeaseSomeTimeAfterTheCarrier(t *testing.T) {
	f := newFake("a")
	f.server = true
	run(t, f, func(m *machine) {
		f.setCarrier("a", false)
		m.settleFor(grace - time.Second)
		m.expectAddresses("within the grace time", "a 10.0.2.15/24")
		f.setCarrier("a", true)
		m.settleFor(2 * grace)
		m.expectAddresses("back in time", "a 10.0.2.15/24")
		f.setCarrier("a", false)
		m.settleFor(grace + time.Second)
		m.expectAddresses("after the grace time")
		m.expectFile("resolv.conf", "")
		f.setCarrier("a", true)
		m.settleFor(time.Second)
		m.expectAddresses("back", "a 10.0.2.15/24")
	})
}

func TestRunFollowsTheConfiguration(t *testing.T) {
	f := newFake("a", "b")
	f.server = true
	run(t, f, func(m *machine) {
		m.configure(kind + "LinkConfig\nname: a\naddresses: [{address: 10.0.0.5/24}]\n---\n" + kind + "HostnameConfig\nhostname: own\n---\n" +
			kind + "ResolverConfig\nnameservers: [{address: 9.9.9.9}]\n---\n" + kind + "BridgeConfig\nname: br0\nlinks: [b]\n")
		m.expectAddresses("static", "a 10.0.0.5/24")
		m.expectFile("hostname", "own\n")
		m.expectFile("resolv.conf", "nameserver 9.9.9.9\n")
		if !slices.ContainsFunc(m.lines, func(l string) bool { return strings.Contains(l, "link br0: documents of kind") }) {
			t.Errorf("said %q", m.lines)
		}
		operators, err := safe.StateListAll[*network.OperatorSpec](context.Background(), m.state)
		if err != nil || operators.Len() != 0 {
			t.Errorf("%d operators, %v", operators.Len(), err)
		}
		if err := m.state.Destroy(context.Background(), configresource.NewMachineConfig(nil).Metadata()); err != nil {
			t.Fatal(err)
		}
		m.settleFor(time.Second)
		if got := m.addresses(); len(got) != 2 || strings.Contains(got[0], "10.0.0.5") {
			t.Errorf("back to defaults: %q", got)
		}
	})
}

func TestRunKeepsALinkThatIsUnplugged(t *testing.T) {
	f := newFake("a")
	f.server = true
	run(t, f, func(m *machine) {
		f.mu.Lock()
		f.remove("a")
		f.mu.Unlock()
		f.changed()
		m.settleFor(time.Second)
		if _, err := safe.StateGetByID[*network.LinkStatus](context.Background(), m.state, "a"); !state.IsNotFoundError(err) {
			t.Errorf("the link is still shown: %v", err)
		}
		f.mu.Lock()
		f.link("a", newFake("a").shown.Links["a"])
		f.mu.Unlock()
		f.changed()
		m.settleFor(time.Second)
		m.expectAddresses("plugged in again", "a 10.0.2.15/24")
	})
}

func TestRunRemovesOnceWhatDriversMade(t *testing.T) {
	f := newFake("a")
	for name, kind := range map[string]string{"bond0": "bond", "dummy0": "dummy", "ifb1": "ifb", "cni0": "bridge", "sit0": "sit"} {
		f.link(name, network.LinkStatusSpec{Kind: kind})
	}
	f.link("busy", network.LinkStatusSpec{Kind: "dummy", Flags: flagUp})
	run(t, f, func(m *machine) {
		f.mu.Lock()
		f.link("dummy1", network.LinkStatusSpec{Kind: "dummy"}) // somebody's who came later
		f.mu.Unlock()
		m.settleFor(2 * rescan)
		shown, _ := f.Snapshot()
		if got := slices.Sorted(maps.Keys(shown.Links)); !slices.Equal(got, []string{"a", "busy", "cni0", "dummy1", "lo", "sit0"}) {
			t.Errorf("links %q", got)
		}
		if _, err := safe.StateGetByID[*network.LinkStatus](context.Background(), m.state, "sit0"); !state.IsNotFoundError(err) {
			t.Errorf("sit0 is shown: %v", err)
		}
	})
}

func TestRunSaysAFailureOnce(t *testing.T) {
	f := newFake("a")
	run(t, f, func(m *machine) {
		m.configure(kind + "VLANConfig\nname: v\nvlanID: 7\nparent: a\n")
		f.mu.Lock()
		f.shown.Links["a"] = network.LinkStatusSpec{Index: 2}
		f.mu.Unlock()
		m.settleFor(5 * rescan)
		count := map[string]int{}
		for _, l := range m.lines {
			if count[l]++; count[l] > 1 && !strings.Contains(l, "next try") {
				t.Errorf("said again: %q", l)
			}
		}
	})
}
