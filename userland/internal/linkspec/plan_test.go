// SPDX-License-Identifier: Apache-2.0

package linkspec

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/nethelpers"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"

	"dodeka/userland/internal/hostfiles"
)

func load(t *testing.T, text string) config.Config {
	t.Helper()
	if text == "" {
		return nil
	}
	provider, err := configloader.NewFromBytes([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return provider
}

// physical makes links by name; the last byte of the address and the index count up.
func physical(names ...string) Links {
	links := Links{"lo": {Index: 1, Type: nethelpers.LinkLoopbck}}
	for i, name := range names {
		links[name] = network.LinkStatusSpec{
			Index: uint32(i + 2), Type: nethelpers.LinkEther, HardwareAddr: nethelpers.HardwareAddr{2, 0, 0, 0, 0, byte(i + 1)},
			PermanentAddr: nethelpers.HardwareAddr{2, 0, 0, 0, 0, byte(i + 1)},
			Driver:        []string{"virtio_net", "e1000e"}[i%2], BusPath: fmt.Sprintf("0000:00:%02x.0", i+3), PCIID: "1AF4:1000",
		}
	}
	return links
}

// show writes a plan as lines, so that a table can say what is wanted.
func show(p Plan) string {
	var b strings.Builder
	for _, l := range p.Links {
		fmt.Fprintf(&b, "link %s", l.Name)
		for _, part := range []string{l.Kind, flag("down", !l.Up), value("mtu", l.MTU), text("parent", l.ParentName), value("vlan", l.VLAN.VID), text("master", l.BondSlave.MasterName)} {
			if part != "" {
				b.WriteString(" " + part)
			}
		}
		if l.Kind == network.LinkKindBond {
			fmt.Fprintf(&b, " mode %s miimon %d", l.BondMaster.Mode, l.BondMaster.MIIMon)
		}
		b.WriteString("\n")
	}
	for _, a := range p.Addresses {
		fmt.Fprintf(&b, "address %s %s\n", a.LinkName, a.Address)
	}
	for _, r := range p.Routes {
		dst := "default"
		if r.Destination.IsValid() {
			dst = r.Destination.String()
		}
		fmt.Fprintf(&b, "route %s %s via %s metric %d table %s\n", r.OutLinkName, dst, r.Gateway, r.Priority, r.Table)
	}
	for _, o := range p.Operators {
		fmt.Fprintf(&b, "%s %s metric %d\n", o.Operator, o.LinkName, max(o.DHCP4.RouteMetric, o.DHCP6.RouteMetric))
	}
	for _, problem := range p.Problems {
		fmt.Fprintf(&b, "problem %s\n", problem)
	}
	return b.String()
}

func flag(name string, set bool) string {
	if set {
		return name
	}
	return ""
}

func value[T uint16 | uint32](name string, n T) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%s %d", name, n)
}

func text(name, s string) string {
	if s == "" {
		return ""
	}
	return name + " " + s
}

const machine = "machine: {type: worker, network: {%s}}\ncluster: {}\n"

func TestCompute(t *testing.T) {
	tests := []struct {
		name, config, cmdline string
		links                 Links
		want                  string
	}{
		{"nothing said: DHCP on every physical link", "", "", physical("enp0s2", "enp0s3"),
			"link enp0s2\nlink enp0s3\ndhcp4 enp0s2 metric 1026\ndhcp4 enp0s3 metric 1027\n"},
		{"a document without network", fmt.Sprintf(machine, ""), "", physical("enp0s2"),
			"link enp0s2\ndhcp4 enp0s2 metric 1026\n"},
		{"static interface, the other keeps DHCP", fmt.Sprintf(machine, "interfaces: [{interface: enp0s2, mtu: 9000, addresses: [10.0.0.5/24, 'fd00::5'], "+
			"routes: [{network: 0.0.0.0/0, gateway: 10.0.0.1}, {network: 10.9.0.0/16, gateway: 10.0.0.2, metric: 7}]}]"), "", physical("enp0s2", "enp0s3"),
			"link enp0s2 mtu 9000\nlink enp0s3\naddress enp0s2 10.0.0.5/24\naddress enp0s2 fd00::5/128\n" +
				"route enp0s2 default via 10.0.0.1 metric 1024 table main\nroute enp0s2 10.9.0.0/16 via 10.0.0.2 metric 7 table main\ndhcp4 enp0s3 metric 1027\n"},
		{"DHCP v4 and v6 with a metric", fmt.Sprintf(machine, "interfaces: [{interface: enp0s2, dhcp: true, dhcpOptions: {routeMetric: 50, ipv6: true}}]"), "", physical("enp0s2"),
			"link enp0s2\ndhcp4 enp0s2 metric 50\ndhcp6 enp0s2 metric 50\n"},
		{"ignored", fmt.Sprintf(machine, "interfaces: [{interface: enp0s2, ignore: true}]"), "", physical("enp0s2", "enp0s3"),
			"link enp0s3\ndhcp4 enp0s3 metric 1027\n"},
		{"bond with a VLAN, by addresses", fmt.Sprintf(machine, "interfaces: [{interface: bond0, bond: {mode: 802.3ad, lacpRate: fast, deviceSelectors: [{hardwareAddr: '02:00:*'}]}, "+
			"dhcp: true, vlans: [{vlanId: 7, addresses: [10.7.0.1/24], routes: []}]}]"), "", physical("enp0s2", "enp0s3"),
			"link bond0 bond mode 802.3ad miimon 100\nlink bond0.7 vlan parent bond0 vlan 7\nlink enp0s2 master bond0\nlink enp0s3 master bond0\n" +
				"address bond0.7 10.7.0.1/24\ndhcp4 bond0 metric 1024\n"},
		{"selector by driver", fmt.Sprintf(machine, "interfaces: [{deviceSelector: {driver: 'e1000*'}, addresses: [10.0.0.1/8]}]"), "", physical("enp0s2", "enp0s3"),
			"link enp0s2\nlink enp0s3\naddress enp0s3 10.0.0.1/8\ndhcp4 enp0s2 metric 1026\n"},
		{"selector by bus path", fmt.Sprintf(machine, "interfaces: [{deviceSelector: {busPath: '0000:00:03*'}, addresses: [10.0.0.1/8]}]"), "", physical("enp0s2"),
			"link enp0s2\naddress enp0s2 10.0.0.1/8\n"},
		{"selector that matches nothing", fmt.Sprintf(machine, "interfaces: [{deviceSelector: {driver: mlx5_core}, dhcp: true}]"), "", physical("enp0s2"),
			"link enp0s2\ndhcp4 enp0s2 metric 1026\nproblem machine.network.interfaces[0].deviceSelector: no link matches\n"},
		{"nonsense is left out", fmt.Sprintf(machine, "interfaces: [{interface: enp0s2, addresses: [10.0.0.300/24, 10.0.0.1/24], routes: [{network: x, gateway: y}]}]"), "", physical("enp0s2"),
			"link enp0s2\naddress enp0s2 10.0.0.1/24\nproblem address \"10.0.0.300/24\" of enp0s2: netip.ParsePrefix(\"10.0.0.300/24\"): ParseAddr(\"10.0.0.300\"): IPv4 field has value >255\n" +
				"problem route \"x\" by \"y\" of enp0s2: expected a network, a gateway or both\n"},
		{"ip= with everything", "", "ip=10.0.0.9::10.0.0.1:255.255.255.0:node:enp0s2:off:10.0.0.53 quiet", physical("enp0s2", "enp0s3"),
			"link enp0s2\nlink enp0s3\naddress enp0s2 10.0.0.9/24\nroute enp0s2 default via 10.0.0.1 metric 1024 table main\ndhcp4 enp0s3 metric 1027\n"},
		{"ip= with IPv6 and without a link", "", "ip=[fd00::9]::[fd00::1]:64:::off", physical("enp0s2"),
			"link enp0s2\naddress enp0s2 fd00::9/64\nroute enp0s2 default via fd00::1 metric 1024 table main\n"},
		{"ip= link and dhcp", "", "ip=enp0s2:dhcp", physical("enp0s2"), "link enp0s2\ndhcp4 enp0s2 metric 1024\n"},
		{"ip= broken", "", "ip=300.0.0.1::::::", physical("enp0s2"),
			"link enp0s2\nproblem kernel argument ip=300.0.0.1::::::: ParseAddr(\"300.0.0.1\"): IPv4 field has value >255\n"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := show(Compute(Input{Config: load(t, tc.config), Cmdline: tc.cmdline, Links: tc.links}))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

const kind = "apiVersion: v1alpha1\nkind: "

func TestComputeFollowsDocuments(t *testing.T) {
	tests := []struct {
		name, config, want string
	}{
		{"LinkConfig turns default DHCP off", kind + "LinkConfig\nname: enp0s2\nmtu: 1400\naddresses: [{address: 10.0.0.5/24}]\n" +
			"routes: [{gateway: 10.0.0.1}, {destination: 10.9.0.0/16, gateway: 10.0.0.2, table: '100'}]\n",
			"link enp0s2 mtu 1400\nlink enp0s3\naddress enp0s2 10.0.0.5/24\nroute enp0s2 10.9.0.0/16 via 10.0.0.2 metric 1024 table 100\nroute enp0s2 default via 10.0.0.1 metric 1024 table main\n"},
		{"a link that is to be down", kind + "LinkConfig\nname: enp0s2\nup: false\n", "link enp0s2 down\nlink enp0s3\n"},
		{"DHCP documents stand alone", kind + "DHCPv4Config\nname: enp0s2\nrouteMetric: 5\n---\n" + kind + "DHCPv6Config\nname: enp0s3\n",
			"link enp0s2\nlink enp0s3\ndhcp4 enp0s2 metric 5\ndhcp6 enp0s3 metric 1024\n"},
		{"VLAN on a bond", kind + "BondConfig\nname: bond0\nlinks: [enp0s2, enp0s3]\nbondMode: active-backup\nmiimon: 250\n---\n" +
			kind + "VLANConfig\nname: bond0.7\nvlanID: 7\nparent: bond0\nmtu: 1400\naddresses: [{address: 10.7.0.1/24}]\n",
			"link bond0 bond mode active-backup miimon 250\nlink bond0.7 vlan mtu 1400 parent bond0 vlan 7\nlink enp0s2 master bond0\nlink enp0s3 master bond0\naddress bond0.7 10.7.0.1/24\n"},
		{"dummy", kind + "DummyLinkConfig\nname: dummy0\naddresses: [{address: 192.0.2.1/32}]\n",
			"link dummy0 dummy\nlink enp0s2\nlink enp0s3\naddress dummy0 192.0.2.1/32\n"},
		{"alias by hardware address", kind + "LinkAliasConfig\nname: net0\nselector: {match: 'mac(link.permanent_addr) == \"02:00:00:00:00:02\"'}\n---\n" +
			kind + "LinkConfig\nname: net0\naddresses: [{address: 10.0.0.5/24}]\n",
			"link enp0s2\nlink enp0s3\naddress enp0s3 10.0.0.5/24\n"},
		{"alias with a number", kind + "LinkAliasConfig\nname: net%d\nselector: {match: 'glob(\"0000:00:*\", link.bus_path)'}\n---\n" +
			kind + "LinkConfig\nname: net1\naddresses: [{address: 10.0.0.5/24}]\n",
			"link enp0s2\nlink enp0s3\naddress enp0s3 10.0.0.5/24\n"},
		{"alias of several", kind + "LinkAliasConfig\nname: net0\nselector: {match: 'true'}\n",
			"link enp0s2\nlink enp0s3\ndhcp4 enp0s2 metric 1026\ndhcp4 enp0s3 metric 1027\nproblem link alias net0: matches enp0s2, enp0s3, expected one link\n"},
		{"not supported", kind + "BridgeConfig\nname: br0\nlinks: [enp0s2]\n",
			"link enp0s2\nlink enp0s3\nproblem link br0: documents of kind *network.BridgeConfigV1Alpha1 are not supported\n"},
		{"circle", kind + "VLANConfig\nname: a\nvlanID: 1\nparent: b\n---\n" + kind + "VLANConfig\nname: b\nvlanID: 2\nparent: a\n",
			"link enp0s2\nlink enp0s3\nproblem link a: its parents form a circle\nproblem link b: its parents form a circle\n"},
		{"a name that the kernel does not take", kind + "DummyLinkConfig\nname: '../../etc/passwd'\n",
			"link enp0s2\nlink enp0s3\nproblem link \"../../etc/passwd\": not a name that the kernel takes\n"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := show(Compute(Input{Config: load(t, tc.config), Links: physical("enp0s2", "enp0s3")}))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestComputeLayersNames(t *testing.T) {
	platform := &network.PlatformConfigSpec{
		Hostnames:   []network.HostnameSpecSpec{{Hostname: "cloud", Domainname: "example.org"}},
		Resolvers:   []network.ResolverSpecSpec{{DNSServers: []netip.Addr{netip.MustParseAddr("10.0.0.2")}}},
		TimeServers: []network.TimeServerSpecSpec{{NTPServers: []string{"10.0.0.123", "bad name"}}},
		Operators:   []network.OperatorSpecSpec{{Operator: network.OperatorDHCP6, LinkName: "enp0s2"}},
	}
	low := Compute(Input{Platform: platform, Links: physical("enp0s2")})
	if low.Names.Hostname != "cloud" || low.Names.Domain != "example.org" || low.Names.HostnameLayer != network.ConfigPlatform ||
		!slices.Equal(low.Time.Servers, []string{"10.0.0.123"}) || len(low.Names.Resolvers) != 1 {
		t.Errorf("got %+v %+v", low.Names, low.Time)
	}
	if got := show(low); got != "link enp0s2\ndhcp6 enp0s2 metric 1024\n" {
		t.Errorf("got %s", got)
	}
	text := kind + "HostnameConfig\nhostname: own\n---\n" + kind + "ResolverConfig\nnameservers: [{address: 9.9.9.9}]\nsearchDomains: {domains: [a.example], disableDefault: true}\n---\n" +
		kind + "TimeSyncConfig\nbootTimeout: 5s\nntp: {servers: [time.example]}\n---\n" + kind + "StaticHostConfig\nname: 10.5.0.2\nhostnames: [db, 'bad name']\n"
	high := Compute(Input{Config: load(t, text), Platform: platform, Links: physical("enp0s2")})
	if high.Names.Hostname != "own" || high.Names.HostnameLayer != network.ConfigMachineConfiguration || !high.Names.DisableSearch ||
		!slices.Equal(high.Names.Search, []string{"a.example"}) || !slices.Equal(high.Time.Servers, []string{"time.example"}) {
		t.Errorf("got %+v %+v", high.Names, high.Time)
	}
	if len(high.Names.Hosts) != 1 || !slices.Equal(high.Names.Hosts[0].Aliases, []string{"db"}) || len(high.Problems) != 1 {
		t.Errorf("got %+v, %q", high.Names.Hosts, high.Problems)
	}
}

func TestSlavesStayMatchedByTheirOwnAddress(t *testing.T) {
	links := physical("enp0s2", "enp0s3")
	for name, l := range links {
		if name != "lo" { // as after the bond took both and gave them one address
			l.HardwareAddr, l.MasterIndex = nethelpers.HardwareAddr{2, 0, 0, 0, 0, 1}, 9
			links[name] = l
		}
	}
	links["bond0"] = network.LinkStatusSpec{Index: 9, Type: nethelpers.LinkEther, Kind: "bond", HardwareAddr: nethelpers.HardwareAddr{2, 0, 0, 0, 0, 1}}
	config := load(t, fmt.Sprintf(machine, "interfaces: [{interface: bond0, bond: {mode: active-backup, deviceSelectors: [{hardwareAddr: '02:00:00:00:00:02'}]}}]"))
	got := show(Compute(Input{Config: config, Links: links}))
	if !strings.Contains(got, "link enp0s3 master bond0") || strings.Contains(got, "link enp0s2 master") {
		t.Errorf("got %s", got)
	}
}

func TestStableHostname(t *testing.T) {
	mac := net.HardwareAddr{0x52, 0x54, 0, 0x12, 0x34, 0x56}
	const uuid = "4C4C4544-0031-4D10-8052-B4C04F4E4C32"
	byMAC := StableHostname("", mac)
	tests := []struct{ name, got, want string }{
		{"no UUID", StableHostname("00000000-0000-0000-0000-000000000000", mac), byMAC},
		{"a text", StableHostname("Not Settable", mac), byMAC},
		{"a sample", StableHostname("03000200-0400-0500-0006-000700080009", mac), byMAC},
		{"letters of either case", StableHostname(uuid, mac), StableHostname(strings.ToLower(uuid), nil)},
		{"nothing known", StableHostname("", nil), "dodeka"},
		{"frozen", byMAC, "dodeka-ea6c1f64"},
	}
	for _, tc := range tests {
		if tc.got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, tc.got, tc.want)
		}
	}
	if StableHostname(uuid, mac) == byMAC {
		t.Error("the UUID does not count")
	}
}

func TestComputeIsStable(t *testing.T) {
	in := Input{Config: load(t, fmt.Sprintf(machine, "interfaces: [{interface: bond0, bond: {mode: active-backup, interfaces: [a, b]}, addresses: [10.0.0.1/8, 10.0.0.2/8]}]")), Links: physical("a", "b", "c")}
	first := show(Compute(in))
	for range 20 {
		if again := show(Compute(in)); again != first {
			t.Fatalf("differs:\n%s\n%s", first, again)
		}
	}
}

func FuzzComputeFollowsTheCommandLine(f *testing.F) {
	f.Add("ip=10.0.0.2::10.0.0.1:255.255.255.0:node:b:none:9.9.9.9:[2001:db8::1]:10.0.0.1")
	f.Add("ip=[2001:db8::2]::[fe80::1]:64:::: ip=a:dhcp ip=]:[")
	f.Fuzz(func(t *testing.T, cmdline string) {
		p := Compute(Input{Cmdline: cmdline, Links: physical("a", "b")})
		for _, a := range p.Addresses {
			if !a.Address.IsValid() || a.LinkName == "" {
				t.Errorf("address %+v", a)
			}
		}
		for _, r := range p.Routes {
			if !r.Gateway.IsValid() || r.OutLinkName == "" {
				t.Errorf("route %+v", r)
			}
		}
		if name := p.Names.Hostname; name != "" && !hostfiles.ValidName(name) {
			t.Errorf("host name %q", name)
		}
	})
}
