// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"
)

// TestEveryFieldHasARow makes a newer machinery force a decision about what is new in it.
func TestEveryFieldHasARow(t *testing.T) {
	var paths []string
	for name := range fieldNames(reflect.TypeFor[v1alpha1.Config]()) {
		switch name {
		case "machine":
			for below := range fieldNames(reflect.TypeFor[v1alpha1.MachineConfig]()) {
				paths = append(paths, "machine."+below)
			}
		default:
			paths = append(paths, name)
		}
	}
	for name := range fieldNames(reflect.TypeFor[v1alpha1.FeaturesConfig]()) {
		paths = append(paths, "machine.features."+name)
	}
	for _, path := range paths {
		if _, found := rowOf(fields, strings.Split(path, ".")); !found {
			t.Errorf("%s has no row", path)
		}
	}
}

func fieldNames(typ reflect.Type) map[string]reflect.Type {
	names, _ := fieldTypes(typ)
	return names
}

func TestEveryKindHasARow(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/siderolabs/talos/pkg/machinery").Output()
	if err != nil {
		t.Skipf("no go tool: %v", err)
	}
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "config/schemas/config.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Defs map[string]struct {
			Properties map[string]struct {
				Enum []string `json:"enum"`
			} `json:"properties"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, def := range schema.Defs {
		for _, kind := range def.Properties["kind"].Enum {
			count++
			if kind == "KubeSpanEndpoints" { // the schema's name for KubeSpanEndpointsConfig
				kind += "Config"
			}
			if _, found := rowOf(documents, []string{kind}); !found {
				t.Errorf("%s has no row", kind)
			}
			if typeOf(kind) == nil {
				t.Errorf("%s has no type", kind)
			}
		}
	}
	if count < 30 {
		t.Errorf("the schema has %d kinds", count)
	}
}

func TestRowsLeadToFields(t *testing.T) {
	for _, r := range fields {
		if !leads(reflect.TypeFor[v1alpha1.Config](), strings.Split(r.path, ".")) {
			t.Errorf("%s is no field", r.path)
		}
	}
	for _, r := range documents {
		segments := strings.Split(r.path, ".")
		if typ := typeOf(segments[0]); typ == nil || !leads(typ, segments[1:]) {
			t.Errorf("%s is no field", r.path)
		}
	}
	for _, table := range [][]row{fields, documents} {
		for _, r := range table {
			if (r.support == refused || r.support == ignored) != (r.why != "") {
				t.Errorf("%s: reason %q", r.path, r.why)
			}
		}
	}
}

func leads(typ reflect.Type, segments []string) bool {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if len(segments) == 0 {
		return true
	}
	if segments[0] == "*" {
		return (typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map) && leads(typ.Elem(), segments[1:])
	}
	if typ.Kind() != reflect.Struct {
		return false
	}
	below, found := fieldNames(typ)[segments[0]]
	return found && leads(below, segments[1:])
}

func TestRowOfTakesTheLongestPath(t *testing.T) {
	tests := []struct{ path, want string }{
		{"machine.network", "machine.network"},
		{"machine.network.interfaces", "machine.network"},
		{"machine.network.interfaces.x.wireguard.peers", "machine.network.interfaces.*.wireguard"},
		{"machine.features.rbac", "machine.features"},
		{"cluster.etcd.image", "cluster.etcd"},
		{"cluster.apiServer.image", "cluster"},
		{"machine", ""},
		{"nothing", ""},
	}
	for _, tc := range tests {
		if got, _ := rowOf(fields, strings.Split(tc.path, ".")); got.path != tc.want {
			t.Errorf("%s: got %q", tc.path, got.path)
		}
	}
}

func TestRebootPaths(t *testing.T) {
	base := string(whole("network: {hostname: a}"))
	volume := "---\napiVersion: v1alpha1\nkind: VolumeConfig\nname: EPHEMERAL\nprovisioning: {maxSize: 10GiB}\n"
	tests := []struct {
		name, after string
		want        string
	}{
		{"nothing", base, ""},
		{"hostname", strings.Replace(base, "hostname: a", "hostname: b", 1), ""},
		{"link added", base + "---\napiVersion: v1alpha1\nkind: LinkConfig\nname: eth0\n", ""},
		{"type", strings.Replace(base, "type: worker", "type: controlplane", 1), "machine.type"},
		{"two", strings.Replace(strings.Replace(base, "type: worker", "type: controlplane", 1), "diskQuotaSupport: true", "diskQuotaSupport: false", 1),
			"machine.features.diskQuotaSupport machine.type"},
		{"cluster", strings.Replace(base, "clusterName: demo", "clusterName: other", 1), ""},
		{"volume added", base + volume, "VolumeConfig[EPHEMERAL].apiVersion VolumeConfig[EPHEMERAL].kind VolumeConfig[EPHEMERAL].name VolumeConfig[EPHEMERAL].provisioning.maxSize"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			before, err := Parse([]byte(base))
			if err != nil {
				t.Fatal(err)
			}
			after, err := Parse([]byte(tc.after))
			if err != nil {
				t.Fatal(err)
			}
			got, err := rebootPaths(before.Provider, after.Provider)
			if err != nil || strings.Join(got, " ") != tc.want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
