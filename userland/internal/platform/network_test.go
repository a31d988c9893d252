// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/resources/network"
)

// summary writes a network in one line per thing, in a fixed order.
func summary(spec *network.PlatformConfigSpec) string {
	var lines []string
	for _, l := range spec.Links {
		line := "link " + l.Name
		if l.MTU > 0 {
			line += fmt.Sprintf(" mtu %d", l.MTU)
		}
		if l.Kind != "" {
			line += " " + l.Kind
		}
		if l.VLAN.VID > 0 {
			line += fmt.Sprintf(" %d on %s", l.VLAN.VID, l.ParentName)
		}
		if l.Kind == network.LinkKindBond {
			line += fmt.Sprintf(" %s %s %d", l.BondMaster.Mode, l.BondMaster.LACPRate, l.BondMaster.MIIMon)
		}
		if l.BondSlave.MasterName != "" {
			line += fmt.Sprintf(" in %s at %d", l.BondSlave.MasterName, l.BondSlave.SlaveIndex)
		}
		lines = append(lines, line)
	}
	for _, a := range spec.Addresses {
		lines = append(lines, fmt.Sprintf("address %s on %s", a.Address, a.LinkName))
	}
	for _, r := range spec.Routes {
		lines = append(lines, fmt.Sprintf("route %s via %s on %s metric %d", r.Destination, r.Gateway, r.OutLinkName, r.Priority))
	}
	for _, o := range spec.Operators {
		lines = append(lines, fmt.Sprintf("%s on %s", o.Operator, o.LinkName))
	}
	for _, r := range spec.Resolvers {
		lines = append(lines, fmt.Sprintf("resolvers %v %v", r.DNSServers, r.SearchDomains))
	}
	return strings.Join(lines, "\n")
}

func TestParseNetworkConfig(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"v1", networkV1, []string{"link eth0", "address 2001:db8::1/64 on eth0", "route invalid Prefix via fe80::1 on eth0 metric 1024", "dhcp4 on eth0", "resolvers [2001:db8::53] []"}},
		{"v1 by address", "network:\n  version: 1\n  config:\n  - {type: physical, name: x, mac_address: 'AA:00:00:00:00:01', mtu: 9000, subnets: [{type: static, address: 10.0.0.2, netmask: 255.255.255.0, gateway: 10.0.0.1}]}\n  - {type: nameserver, address: 1.1.1.1, search: [a.example]}\n",
			[]string{"link ens3 mtu 9000", "address 10.0.0.2/24 on ens3", "route invalid Prefix via 10.0.0.1 on ens3 metric 1024", "resolvers [1.1.1.1] [a.example]"}},
		{"v1 bond and VLAN", "version: 1\nconfig:\n- {type: physical, name: a}\n- {type: bond, name: b0, bond_interfaces: [a, c], params: {bond-mode: 802.3ad, bond-lacp-rate: fast, bond-miimon: 100}}\n- {type: vlan, vlan_link: b0, vlan_id: 5, subnets: [{type: dhcp6}]}\n",
			[]string{"link a in b0 at 0", "link b0 bond 802.3ad fast 100", "link c in b0 at 1", "link b0.5 vlan 5 on b0", "dhcp6 on b0.5"}},
		{"v2", "version: 2\nethernets:\n  z: {match: {macaddress: 'aa:00:00:00:00:01'}, addresses: [10.0.0.2/24, {10.0.0.3/32: {label: x}}], gateway4: 10.0.0.1, nameservers: {addresses: [1.1.1.1], search: [a]}}\n  eth1: {dhcp4: true, dhcp6: true, routes: [{to: 10.1.0.0/16, via: 10.0.0.9, metric: 5}, {to: default, via: 'fe80::1'}]}\n",
			[]string{"link eth1", "link ens3", "address 10.0.0.2/24 on ens3", "address 10.0.0.3/32 on ens3", "route 10.1.0.0/16 via 10.0.0.9 on eth1 metric 5", "route invalid Prefix via fe80::1 on eth1 metric 1024",
				"route invalid Prefix via 10.0.0.1 on ens3 metric 1024", "dhcp4 on eth1", "dhcp6 on eth1", "resolvers [1.1.1.1] [a]"}},
		{"v2 bond and VLAN", "network:\n  version: 2\n  ethernets: {n: {match: {macaddress: 'aa:00:00:00:00:01'}}}\n  bonds: {b0: {interfaces: [n], parameters: {mode: active-backup}}}\n  vlans: {v: {id: 7, link: b0, addresses: [10.0.0.2/24]}}\n",
			[]string{"link ens3 in b0 at 0", "link b0 bond active-backup slow 0", "link v vlan 7 on b0", "address 10.0.0.2/24 on v"}},
	}
	byMAC := func(mac string) (string, bool) { return "ens3", mac == "aa:00:00:00:00:01" }
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			spec, err := parseNetworkConfig([]byte(tc.text), byMAC)
			if err != nil {
				t.Fatal(err)
			}
			if got := summary(spec); got != strings.Join(tc.want, "\n") {
				t.Errorf("got\n%s", got)
			}
		})
	}
}

func TestParseNetworkConfigRefuses(t *testing.T) {
	v1 := func(item string) string { return "version: 1\nconfig: [" + item + "]\n" }
	var members []string
	for i := range maxLinks {
		members = append(members, fmt.Sprintf("eth%d", i))
	}
	tests := []struct{ name, text, want string }{
		{"empty", "# nothing", "it is empty"},
		{"no version", "ethernets: {}", "version is not 1 or 2"},
		{"list", "- a", "expected fields and values"},
		{"type", v1("{type: bridge, name: b}"), `config[0]: type "bridge" is not supported`},
		{"subnet", v1("{type: physical, name: a, subnets: [{type: odd}]}"), `config[0]: subnets[0]: type "odd"`},
		{"address", v1("{type: physical, name: a, subnets: [{type: static, address: x}]}"), `"x" is not an address`},
		{"netmask with holes", v1("{type: physical, name: a, subnets: [{type: static, address: 10.0.0.1, netmask: 255.0.255.0}]}"), "netmask"},
		{"netmask of another family", v1("{type: physical, name: a, subnets: [{type: static, address: 10.0.0.1, netmask: 'ffff:ffff:ff::'}]}"), "netmask"},
		{"negative netmask", v1("{type: physical, name: a, subnets: [{type: static, address: 10.0.0.1, netmask: '-1'}]}"), "netmask"},
		{"gateway", v1("{type: physical, name: a, subnets: [{type: dhcp, gateway: x}]}"), `gateway "x"`},
		{"resolver", v1("{type: nameserver, address: [x]}"), `resolver "x"`},
		{"VLAN", v1("{type: vlan, name: v, vlan_link: a, vlan_id: 4095}"), "has the id 4095"},
		{"bond mode", v1("{type: bond, name: b, params: {bond-mode: best}}"), "best"},
		{"v2 route of two families", "version: 2\nethernets: {a: {routes: [{to: 10.0.0.0/8, via: 'fe80::1'}]}}", "ethernets.a: route to"},
		{"wrong type", "version: 2\nethernets: [a]", "cannot"},
		{"too many links", v1(strings.TrimSuffix(strings.Repeat("{type: physical, name: a},", maxLinks+1), ",")), "over 256 links"},
		{"too many members of a bond", v1("{type: bond, name: b, bond_interfaces: [" + strings.Join(members, ",") + "]}"), "over 256 links"},
		{"too many addresses", "version: 2\nethernets: {a: {addresses: [" + strings.TrimSuffix(strings.Repeat("10.0.0.1/8,", maxEach+1), ",") + "]}}", "over 1024 addresses"},
		{"too many routes", "version: 2\nethernets: {a: {routes: [" + strings.TrimSuffix(strings.Repeat("{via: 10.0.0.1},", maxEach+1), ",") + "]}}", "over 1024 routes"},
		{"too many resolvers", "version: 2\nethernets: {a: {nameservers: {addresses: [" + strings.TrimSuffix(strings.Repeat("10.0.0.1,", maxEach+1), ",") + "]}}}", "over 1024 resolvers"},
		{"alias bomb", "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n", "too complex"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := parseNetworkConfig([]byte(tc.text), nil); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestOpenstackNetwork(t *testing.T) {
	n := &netspec{}
	err := n.decodeOpenstack([]byte(`{"links":[{"id":"a","type":"phy"},{"id":"b","type":"phy"},{"id":"bond","type":"bond","bond_mode":"active-backup","bond_links":["a","b"]},{"id":"v","type":"vlan","vlan_id":9,"vlan_link":"bond"}],
	 "networks":[{"link":"v","type":"ipv4_dhcp"},{"link":"bond","type":"ipv6","ip_address":"2001:db8::2/64","routes":[{"network":"2001:db8:1::","netmask":"ffff:ffff:ffff::","gateway":"2001:db8::1"}]},{"link":"a","type":"ipv6_slaac"}]}`))
	want := "link eth0 in bond at 0\nlink eth1 in bond at 1\nlink bond bond active-backup slow 0\nlink bond.9 vlan 9 on bond\naddress 2001:db8::2/64 on bond\nroute 2001:db8:1::/48 via 2001:db8::1 on bond metric 1024\ndhcp4 on bond.9"
	if got := summary(&n.PlatformConfigSpec); err != nil || got != want {
		t.Errorf("got %v\n%s", err, got)
	}
	for _, bad := range []string{"[]", `{"networks":[{"link":"x"}]}`, `{"links":[{"id":"v","type":"vlan"}]}`, `{"links":[{"id":"a"}],"networks":[{"link":"a","type":"ipv4","ip_address":"x"}]}`} {
		if err := (&netspec{}).decodeOpenstack([]byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func FuzzNocloud(f *testing.F) {
	f.Add([]byte("instance-id: i"), []byte(config), []byte(networkV1), "ds=nocloud;h=a")
	f.Add([]byte("a: &a [*a]"), []byte("#cloud-config"), []byte("version: 2\nbonds: {b: {interfaces: [a]}}\nvlans: {v: {id: 1, link: b}}\nethernets: {a: {addresses: [{1.2.3.4/8: {}}]}}"), "ds=nocloud;s=http://")
	f.Fuzz(func(t *testing.T, meta, user, net []byte, serial string) {
		n := nocloud{Options{LinkByMAC: func(mac string) (string, bool) { return mac, mac != "" }}}
		found, err := n.interpret(seed{meta, user, net}, parseSerial(serial))
		if err != nil {
			return
		}
		found = found.finish("nocloud")
		if found.Network == nil {
			return
		}
		checkNetwork(t, found.Network)
	})
}

func checkNetwork(t *testing.T, spec *network.PlatformConfigSpec) {
	if len(spec.Links) > maxLinks {
		t.Fatalf("%d links", len(spec.Links))
	}
	for _, a := range spec.Addresses {
		if !a.Address.IsValid() {
			t.Fatalf("address %v", a)
		}
	}
	for _, l := range spec.Links {
		if l.Kind == network.LinkKindVLAN && (l.VLAN.VID == 0 || l.VLAN.VID > 4094) {
			t.Fatalf("link %v", l)
		}
	}
}

func FuzzOpenstack(f *testing.F) {
	f.Add([]byte(`{"links":[{"id":"a","type":"phy"}],"networks":[{"link":"a","type":"ipv4","ip_address":"1.2.3.4/8"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		n := &netspec{}
		if n.decodeOpenstack(data) == nil {
			checkNetwork(t, &n.PlatformConfigSpec)
		}
	})
}

func FuzzInstances(f *testing.F) {
	f.Add([]byte(`{"compute":{"name":"a","resourceId":"/subscriptions/s/resourceGroups/G/x"},"network":{"interface":[{"ipv4":{"ipAddress":[{"publicIpAddress":"1.2.3.4"}]}}]}}`))
	f.Add([]byte(`{"zone":"projects/1/zones/europe-west1-b","networkInterfaces":[{"ipv6":["::1"],"accessConfigs":[{"externalIp":"1.2.3.4"}]}]}`))
	f.Add([]byte("<Environment><p:CustomData xmlns:p='u'>bWFjaGluZTo=</p:CustomData></Environment>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var a azureInstance
		if json.Unmarshal(data, &a) == nil {
			checkInstance(t, a.metadata().finish("azure"))
		}
		var g gcpInstance
		if json.Unmarshal(data, &g) == nil {
			_ = lastPart(g.Zone)
			checkInstance(t, Metadata{Hostname: g.Hostname, PublicIPs: g.publicIPs()}.finish("gcp"))
		}
		if text, err := findElement(data, "CustomData"); err == nil {
			_, _ = decodeBase64(text)
		}
	})
}

func checkInstance(t *testing.T, found Metadata) {
	for _, address := range found.PublicIPs {
		if !address.IsValid() {
			t.Fatalf("address %v", address)
		}
	}
}
