// SPDX-License-Identifier: Apache-2.0

package podnetwork

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"

	"dodeka/userland/internal/badfield"
)

func with(cni string, subnets ...string) *v1alpha1.ClusterConfig {
	network := &v1alpha1.ClusterNetworkConfig{PodSubnet: subnets}
	if cni != "" {
		network.CNI = &v1alpha1.CNIConfig{CNIName: cni}
	}
	return &v1alpha1.ClusterConfig{ClusterNetwork: network}
}

func TestPodsHaveAddressesOfTheSubnets(t *testing.T) {
	v4, v6 := map[string]any{"dst": "0.0.0.0/0"}, map[string]any{"dst": "::/0"}
	for _, tc := range []struct {
		name           string
		subnets        []string
		ranges, routes []any
	}{
		{"by default", nil, []any{[]any{map[string]any{"subnet": "10.244.0.0/16"}}}, []any{v4}},
		{"of both", []string{"fd00::/64", "10.1.0.0/30"}, []any{[]any{map[string]any{"subnet": "fd00::/64"}}, []any{map[string]any{"subnet": "10.1.0.0/30"}}}, []any{v6, v4}},
	} {
		folder := filepath.Join(t.TempDir(), "net.d")
		if err := Write(folder, with("", tc.subnets...)); err != nil {
			t.Fatal(err)
		}
		var got struct {
			Plugins []struct {
				Type string
				IPAM map[string]any
			}
		}
		text, err := os.ReadFile(filepath.Join(folder, file))
		if err := errors.Join(err, json.Unmarshal(text, &got)); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"type": "host-local", "dataDir": leases, "ranges": tc.ranges, "routes": tc.routes}
		if diff := cmp.Diff(want, got.Plugins[0].IPAM); diff != "" {
			t.Errorf("%s: %s", tc.name, diff)
		}
	}
}

func TestAnotherNetworkStays(t *testing.T) {
	folder := t.TempDir()
	others := filepath.Join(folder, "10-other.conflist")
	if err := os.WriteFile(others, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cni := range []string{"none", "flannel", "custom", "none"} { // the first has nothing to remove
		if err := Write(folder, with(cni)); err != nil {
			t.Fatalf("%s: %v", cni, err)
		}
		_, err := os.Stat(filepath.Join(folder, file))
		if isThere := err == nil; isThere != (cni == "flannel") {
			t.Errorf("%s: ours is there: %t", cni, isThere)
		}
	}
	if _, err := os.Stat(others); err != nil {
		t.Error(err)
	}
}

func TestSubnetsThatNoPodCouldUseAreRefused(t *testing.T) {
	const first, second = "cluster.network.podSubnets[0]", "cluster.network.podSubnets[1]"
	for _, tc := range []struct {
		subnets []string
		path    string
	}{
		{[]string{"10.0.0.0"}, first}, {[]string{"10.0.0.1/16"}, first}, {[]string{"10.0.0.0/33"}, first}, {[]string{"::ffff:10.0.0.0/104"}, first},
		{[]string{"10.0.0.0/31"}, first}, {[]string{"fd00::/127"}, first}, {[]string{""}, first},
		{[]string{"0.0.0.0/0"}, first}, {[]string{"128.0.0.0/0"}, first}, {[]string{"127.0.0.0/16"}, first}, {[]string{"224.0.0.0/8"}, first},
		{[]string{"169.254.0.0/16"}, first}, {[]string{"fe80::/64"}, first}, {[]string{"::/64"}, first},
		{[]string{"10.0.0.0/8", "10.1.0.0/16"}, second}, {[]string{"fd00::/64", "fd01::/64"}, second},
		{[]string{"10.0.0.0/30", "fd00::/126"}, ""},
	} {
		err := Check(with("", tc.subnets...))
		if wrong := (*badfield.Error)(nil); tc.path == "" && err != nil || tc.path != "" && (!errors.As(err, &wrong) || wrong.Path != tc.path) {
			t.Errorf("%q: got %v, want %q", tc.subnets, err, tc.path)
		}
	}
}
