// SPDX-License-Identifier: Apache-2.0

package network

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"

	"dodeka/userland/internal/linkspec"
)

// play applies a configuration to the fake until nothing is left to do, and returns what was done.
func play(t *testing.T, f *fake, o *owned, text string) []string {
	t.Helper()
	f.log = nil
	input := linkspec.Input{}
	if text != "" {
		provider, err := configloader.NewFromBytes([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		input.Config = provider
	}
	for range maxRound {
		shown, _ := f.Snapshot()
		input.Links = shown.Links
		target := want(linkspec.Compute(input), nil, shown)
		actions := difference(target, *o, shown)
		if len(actions) == 0 {
			return slices.DeleteFunc(f.log, func(l string) bool { return strings.HasPrefix(l, "net/") })
		}
		for _, a := range actions {
			if err := f.Apply(a); err != nil {
				t.Fatalf("%s: %v", a, err)
			}
			o.note(a, shown)
		}
	}
	t.Fatalf("never done; last did %q", f.log)
	return nil
}

const kind = "apiVersion: v1alpha1\nkind: "

func TestDifferenceFollowsConfiguration(t *testing.T) {
	const (
		static  = kind + "LinkConfig\nname: a\nmtu: 1400\naddresses: [{address: 10.0.0.5/24}]\nroutes: [{gateway: 10.0.0.1}]\n"
		moved   = kind + "LinkConfig\nname: a\nmtu: 1400\naddresses: [{address: 10.0.0.6/24}]\nroutes: [{gateway: 10.0.0.1, metric: 9}]\n"
		bond    = kind + "BondConfig\nname: bond0\nlinks: [a, b]\nbondMode: active-backup\naddresses: [{address: 10.1.0.1/24}]\n---\n"
		onBond  = bond + kind + "VLANConfig\nname: v7\nvlanID: 7\nparent: bond0\naddresses: [{address: 10.7.0.1/24}]\n"
		onBond8 = bond + kind + "VLANConfig\nname: v7\nvlanID: 8\nparent: bond0\naddresses: [{address: 10.7.0.1/24}]\n"
	)
	steps := []struct {
		name, config string
		want         []string
	}{
		{"nothing", "", []string{"lo up true", "a up true", "b up true"}},
		{"static", static, []string{"a MTU 1400", "address a 10.0.0.5/24", "route inet4 default via 10.0.0.1 dev a metric 1024 table main"}},
		{"address and metric change", moved, []string{"drop route inet4 default via 10.0.0.1 dev a metric 1024 table main", "drop address a 10.0.0.5/24",
			"address a 10.0.0.6/24", "route inet4 default via 10.0.0.1 dev a metric 9 table main"}},
		{"bond and VLAN take over", onBond, []string{"drop route inet4 default via 10.0.0.1 dev a metric 9 table main", "drop address a 10.0.0.6/24",
			"create bond bond0", "bond0 up true", "a up false", `a master "bond0"`, "b up false", `b master "bond0"`, "create vlan v7", "v7 up true",
			"address bond0 10.1.0.1/24", "address v7 10.7.0.1/24"}},
		{"VLAN changes its number", onBond8, []string{"delete link v7", "create vlan v7", "v7 up true", "address v7 10.7.0.1/24"}},
		{"all gone", "", []string{"drop address bond0 10.1.0.1/24", "drop address v7 10.7.0.1/24", `a master ""`, `b master ""`, "delete link v7", "delete link bond0", "a MTU 1500"}},
	}
	f, o := newFake("a", "b"), newOwned()
	for _, step := range steps {
		got := play(t, f, &o, step.config)
		if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(step.want))) {
			t.Fatalf("%s:\n got %q\nwant %q", step.name, got, step.want)
		}
		if again := play(t, f, &o, step.config); len(again) != 0 {
			t.Fatalf("%s: done twice: %q", step.name, again)
		}
	}
}

func TestDifferenceLeavesStrangersAlone(t *testing.T) {
	f, o := newFake("a"), newOwned()
	f.link("cni0", network.LinkStatusSpec{Kind: "bridge"})
	if err := f.Apply(PutAddress{Address{AddressSpecSpec: network.AddressSpecSpec{LinkName: "cni0", Address: prefix("10.244.0.1/24")}}}); err != nil {
		t.Fatal(err)
	}
	play(t, f, &o, "")
	if len(f.shown.Addresses) != 1 || f.shown.Links["cni0"].Index == 0 {
		t.Errorf("touched: %q", f.log)
	}
}

func TestDifferenceMakesAnewWhatADriverMade(t *testing.T) {
	f, o := newFake("a"), newOwned()
	f.link("bond0", network.LinkStatusSpec{Kind: "bond"})
	got := play(t, f, &o, kind+"BondConfig\nname: bond0\nlinks: [a]\nbondMode: active-backup\n")
	if !slices.Equal(got[:3], []string{"lo up true", "delete link bond0", "create bond bond0"}) {
		t.Errorf("got %q", got)
	}
	if again := play(t, f, &o, kind+"BondConfig\nname: bond0\nlinks: [a]\nbondMode: active-backup\n"); len(again) != 0 {
		t.Errorf("done twice: %q", again)
	}
}

func TestDifferenceRenamesFirst(t *testing.T) {
	f, o := newFake("eth0", "eth1", "eth2", "enp0s9"), newOwned()
	f.shown.Renames = map[string]string{"eth0": "enp0s3", "eth1": "enp0s9", "eth2": "enp0s3"}
	shown, _ := f.Snapshot()
	if got := difference(wanted{}, o, shown); len(got) != 1 || got[0] != (SetUp{"lo", true}) { // both names are taken
		t.Errorf("got %v", got)
	}
	f.shown.Renames = map[string]string{"eth0": "enp0s3", "eth1": "enp0s9"}
	got := play(t, f, &o, "")
	if got[0] != "rename eth0 to enp0s3" || slices.ContainsFunc(got, func(l string) bool { return strings.Contains(l, "rename eth1") }) {
		t.Errorf("got %q", got)
	}
}

func TestWantMarksGatewaysOutsideAsOnLink(t *testing.T) {
	tests := []struct{ name, address, gateway, want string }{
		{"inside", "10.0.0.5/24", "10.0.0.1", "kept"},
		{"outside of a /32", "10.0.0.5/32", "192.0.2.1", "on link"},
		{"no address yet", "", "10.0.0.1", "waits"},
		{"link-local", "2001:db8::5/64", "fe80::1", "kept"},
		{"IPv6 outside", "2001:db8::5/128", "2001:db8::1", "on link"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			text := kind + "LinkConfig\nname: a\nroutes: [{gateway: '" + tc.gateway + "'}]\n"
			if tc.address != "" {
				text += "addresses: [{address: '" + tc.address + "'}]\n"
			}
			provider, err := configloader.NewFromBytes([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			shown, _ := newFake("a").Snapshot()
			got := "waits"
			for _, r := range want(linkspec.Compute(linkspec.Input{Config: provider, Links: shown.Links}), nil, shown).routes {
				if got = "kept"; r.Flags&onLink != 0 {
					got = "on link"
				}
			}
			if got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestHardwareOfAVirtioAdapterIsThatOfItsPCIFunction(t *testing.T) {
	const pci = "devices/pci0000:00/0000:00:03.0"
	sys := fstest.MapFS{
		"class/net/a":                 {Data: []byte("../../" + pci + "/virtio0/net/a"), Mode: fs.ModeSymlink | 0o777},
		pci + "/virtio0/net/a/device": {Data: []byte("../.."), Mode: fs.ModeSymlink | 0o777},
		pci + "/virtio0/uevent":       {Data: []byte("DRIVER=virtio_net\nMODALIAS=virtio:d00000001v00001AF4\n")},
		pci + "/uevent":               {Data: []byte("DRIVER=virtio-pci\nPCI_ID=1AF4:1041\nPCI_SLOT_NAME=0000:00:03.0\n")},
	}
	var got network.LinkStatusSpec
	(&Kernel{sys: sys}).hardware(&got, "a")
	if got.Driver != "virtio_net" || got.PCIID != "1AF4:1041" || got.BusPath != "0000:00:03.0" {
		t.Errorf("got %+v", got)
	}
}
