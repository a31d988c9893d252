// SPDX-License-Identifier: Apache-2.0

package kubelet

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"

	"dodeka/userland/internal/badfield"
)

func load(t *testing.T, machine string) config.MachineConfig {
	t.Helper()
	provider, err := configloader.NewFromBytes([]byte("version: v1alpha1\nmachine:\n" + machine))
	if err != nil {
		t.Fatal(err)
	}
	return provider.Machine()
}

const pods = `  pods:
    - {apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {hostNetwork: true}}
    - {apiVersion: v1, kind: Pod, metadata: {name: web, namespace: other}, spec: {}}
`

func TestPrepare(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kubelet")
	args, err := prepare(dir, load(t, pods+`  kubelet:
    clusterDNS: [10.0.0.10]
    defaultRuntimeSeccompProfileEnabled: true
    extraArgs: {v: "4", feature-gates: [A=true, B=false]}
    extraConfig: {maxPods: 7}
`))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{
		"--config=" + dir + "/config.json", "--root-dir=/var/lib/kubelet", "--cert-dir=/var/lib/kubelet/pki",
		"--feature-gates=A=true", "--feature-gates=B=false", "--v=4",
	}; !slices.Equal(args, want) {
		t.Errorf("%q", args)
	}
	if err := Check(load(t, pods).Pods()); err != nil {
		t.Error(err)
	}
	got := read(t, dir+"/config.json")
	for name, want := range map[string]any{
		"kind": "KubeletConfiguration", "staticPodPath": dir + "/pods", "enableServer": false, "seccompDefault": true,
		"clusterDNS": []any{"10.0.0.10"}, "maxPods": 7.0,
	} {
		if diff := cmp.Diff(want, got[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	want := map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "web", "namespace": "other"}, "spec": map[string]any{},
	}
	if diff := cmp.Diff(want, read(t, dir+"/pods/1.json")); diff != "" {
		t.Error(diff)
	}
	for path, want := range map[string]os.FileMode{"pods": 0o700, "pods/0.json": 0o600, "config.json": 0o600} {
		if info, err := os.Stat(filepath.Join(dir, path)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v (%v)", path, info, err)
		}
	}
}

func read(t *testing.T, path string) (object map[string]any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &object)
	}
	if err != nil {
		t.Fatal(err)
	}
	return object
}

func TestAMachineWithoutPodsHasNoKubelet(t *testing.T) {
	args, err := Prepare(load(t, "  kubelet: {clusterDNS: [10.0.0.10]}\n"))
	if args != nil || err != nil {
		t.Errorf("%q (%v)", args, err)
	}
}

func TestPodsThatWouldNotRunAreRefused(t *testing.T) {
	for text, path := range map[string]string{
		"{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {}}":                   "machine.pods[2]",
		"{apiVersion: v2, kind: Pod, metadata: {name: a}, spec: {}}":                       "machine.pods[2]",
		"{apiVersion: v1, kind: Pod, metadata: {name: ../a}, spec: {}}":                    "machine.pods[2].metadata.name",
		"{apiVersion: v1, kind: Pod, metadata: {name: Web}, spec: {}}":                     "machine.pods[2].metadata.name",
		"{apiVersion: v1, kind: Pod, metadata: {name: [a]}, spec: {}}":                     "machine.pods[2].metadata.name",
		"{apiVersion: v1, kind: Pod, spec: {}}":                                            "machine.pods[2].metadata.name",
		"{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {}}":                     "machine.pods[2].metadata.name",
		"{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: default}, spec: {}}": "machine.pods[2].metadata.name",
		"{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: a/b}, spec: {}}":       "machine.pods[2].metadata.namespace",
		"{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: 7}, spec: {}}":         "machine.pods[2].metadata.namespace",
		"{apiVersion: v1, kind: Pod, metadata: {name: other}}":                             "machine.pods[2].spec",
		"{apiVersion: v1, kind: Pod, metadata: {name: other}, spec: [none]}":               "machine.pods[2].spec",
		"{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {a: .nan}}":                "machine.pods[2]",
	} {
		err := Check(load(t, pods+"    - "+text+"\n").Pods())
		if wrong := (*badfield.Error)(nil); !errors.As(err, &wrong) || wrong.Path != path {
			t.Errorf("%s: got %v, want %s", text, err, path)
		}
	}
}
