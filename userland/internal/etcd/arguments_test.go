// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"dodeka/userland/internal/badfield"
)

func TestCheckRefusesArgumentsThatAreTheMachines(t *testing.T) {
	tests := []struct{ name, want string }{
		{"quota-backend-bytes", ""},
		{"listen-metrics-urls", ""},
		{"data-dir", "cannot be set"},
		{"client-cert-auth", "cannot be set"},
		{"config-file", "cannot be set"},
		{"--quota-backend-bytes", "without hyphens"},
		{"a=b", "expected the name"},
		{"", "expected the name"},
	}
	for _, tc := range tests {
		cluster := &v1alpha1.ClusterConfig{EtcdConfig: &v1alpha1.EtcdConfig{EtcdExtraArgs: v1alpha1.Args{tc.name: v1alpha1.NewArgValue("1", nil)}}}
		err := Check(cluster)
		if tc.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
			continue
		}
		wrong := (*badfield.Error)(nil)
		if !errors.As(err, &wrong) || wrong.Path != "cluster.etcd.extraArgs."+tc.name || !strings.Contains(wrong.Text, tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if err := Check(&v1alpha1.ClusterConfig{}); err != nil {
		t.Error(err)
	}
}

func TestExtraArgumentsComeLast(t *testing.T) {
	b := newBench(t)
	b.config.EtcdExtraArgs = v1alpha1.Args{
		"quota-backend-bytes": v1alpha1.NewArgValue("1", nil), "feature-gates": v1alpha1.NewArgValue("", []string{"A=true", "B=true"}),
		"tls-min-version": v1alpha1.NewArgValue("TLS1.2", nil),
	}
	at, err := b.place(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	args := b.arguments(at)
	want := []string{"--feature-gates=A=true", "--feature-gates=B=true", "--quota-backend-bytes=1", "--tls-min-version=TLS1.2"}
	if diff := cmp.Diff(want, args[len(args)-4:]); diff != "" {
		t.Error(diff)
	}
	if slices.Contains(args, "--tls-min-version=TLS1.3") {
		t.Error("the lowest TLS version is there twice")
	}
}

func TestPlace(t *testing.T) {
	tests := []struct {
		name              string
		advertise, listen []string
		want              place
	}{
		{"by itself", nil, nil, placeAt("192.0.2.7", "", "")},
		{"advertised subnets are listened on, too", []string{"198.51.100.0/24"}, nil, placeAt("198.51.100.9", "198.51.100.9,127.0.0.1", "198.51.100.9")},
		{"listened subnets", nil, []string{"2001:db8::/32"}, placeAt("192.0.2.7", "2001:db8::7,127.0.0.1", "2001:db8::7")},
		{"all but one, and but that of pods", []string{"!192.0.2.7", "!2001:db8::/32"}, []string{"192.0.2.7"},
			placeAt("198.51.100.9", "192.0.2.7,127.0.0.1", "192.0.2.7")},
		{"none", []string{"203.0.113.0/24"}, nil, place{}},
	}
	for _, tc := range tests {
		b := newBench(t)
		b.config.EtcdAdvertisedSubnets, b.config.EtcdListenSubnets = tc.advertise, tc.listen
		got, err := b.place(t.Context())
		if (err != nil) != (tc.want.name == "") {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(place{}), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
	}
}

// placeAt is a place of the machine of the tests; it listens everywhere where nothing else is said.
func placeAt(advertised, clients, peers string) place {
	list := func(text string) (addresses []netip.Addr) {
		if text == "" {
			return everywhere()
		}
		for _, one := range strings.Split(text, ",") {
			addresses = append(addresses, netip.MustParseAddr(one))
		}
		return addresses
	}
	return place{name: "keeper", advertised: list(advertised), listenClients: list(clients), listenPeers: list(peers)}
}
