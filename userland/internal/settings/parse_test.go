// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func zipped(text []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(text)
	_ = w.Close()
	return b.Bytes()
}

// warned are the fields of what the stock client makes that have no effect here.
var warned = []string{"machine.kubelet.image", "machine.features.kubePrism", "machine.features.hostDNS", "cluster.token", "cluster.discovery"}

func TestParseTakesWhatTheStockClientMakes(t *testing.T) {
	for kind, text := range generated() {
		for name, data := range map[string][]byte{"plain": []byte(text), "gzip": zipped([]byte(text))} {
			parsed, err := Parse(data)
			if err != nil {
				t.Errorf("%s, %s: %v", kind, name, err)
				continue
			}
			if got, _ := parsed.Provider.Bytes(); string(got) != text {
				t.Errorf("%s, %s: the text changed", kind, name)
			}
			var about []string
			for _, warning := range parsed.Warnings {
				path, _, _ := strings.Cut(warning, ": has no effect: ")
				about = append(about, path)
			}
			if diff := cmp.Diff(warned, about); diff != "" {
				t.Errorf("%s: warnings %s", kind, diff)
			}
			if _, err := validate(context.Background(), parsed.Provider, stored, nil); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
	}
}

func TestParseRefusesWithPathAndLine(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"unknown field", "machine:\n  type: worker\n  network:\n    foo: 1\n", []string{"machine.network.foo: unknown field (line 4)"}},
		{"unknown root", "machine: {}\nfoo: 1\n", []string{"foo: unknown field (line 2)"}},
		{"unknown in a list", "machine:\n  network:\n    interfaces:\n      - interface: a\n      - interface: b\n        dchp: true\n",
			[]string{"machine.network.interfaces[1].dchp: unknown field (line 6)"}},
		{"unknown in another document", "apiVersion: v1alpha1\nkind: LinkConfig\nname: eth0\nmtu: 1\nnmae: x\n", []string{"LinkConfig[eth0].nmae: unknown field (line 5)"}},
		{"several in source order", "machine:\n  b: 1\n  systemDiskEncryption:\n    state: {provider: luks2}\n  a: 1\n", []string{
			"machine.b: unknown field (line 2)", "machine.systemDiskEncryption: not supported: disks are not encrypted: data would lie in the clear (line 4)", "machine.a: unknown field (line 5)"}},
		{"unknown behind an alias", "machine:\n  network: &n {foo: 1}\n  kubelet: *n\n", []string{"machine.network.foo: unknown field (line 2)", "machine.kubelet.foo: unknown field (line 2)"}},
		{"merge key", "machine:\n  <<: {type: worker}\n", []string{"machine.<<: unknown field (line 2)"}},
		{"KubeSpan", "machine:\n  network:\n    kubespan:\n      enabled: true\n", []string{"machine.network.kubespan: not supported"}},
		{"WireGuard in a list", "machine:\n  network:\n    interfaces: [{interface: wg0, wireguard: {listenPort: 1}}]\n", []string{"machine.network.interfaces[0].wireguard: not supported"}},
		{"encryption of a volume", "apiVersion: v1alpha1\nkind: VolumeConfig\nname: EPHEMERAL\nencryption:\n  provider: luks2\n", []string{"VolumeConfig[EPHEMERAL].encryption: not supported"}},
		{"PTP", "apiVersion: v1alpha1\nkind: TimeSyncConfig\nptp: {devices: [/dev/ptp0]}\n", []string{"TimeSyncConfig.ptp: not supported: PTP devices are not read"}},
		{"unsupported kind", "apiVersion: v1alpha1\nkind: KubeSpanConfig\nenabled: true\n", []string{"KubeSpanConfig: not supported: KubeSpan is not there"}},
		{"unknown kind", "apiVersion: v1alpha1\nkind: Foo\n", []string{"Foo: unknown document kind (line 1)"}},
		{"kind with control characters", "apiVersion: v1alpha1\nkind: \"a\\eb\"\n", []string{"a b: unknown document kind"}},
		{"no kind", "apiVersion: v1alpha1\n", []string{"kind: missing"}},
		{"no version", "kind: LinkConfig\nname: eth0\n", []string{"LinkConfig.apiVersion: missing"}},
		{"list", "- a\n", []string{"a document must be a mapping"}},
		{"scalar", "hello", []string{"a document must be a mapping"}},
		{"empty", "", []string{"the configuration is empty"}},
		{"only comments", "# a\n---\n", []string{"the configuration is empty"}},
		{"broken", "machine: [", []string{"yaml: "}},
		{"wrong type", "machine:\n  type: [1]\n", []string{"cannot"}},
		{"twice the same", "machine: {}\n---\nmachine: {}\n", []string{"uplicate"}},
		{"field twice", "machine: {}\nmachine: {}\n", []string{"machine"}},
		{"delete patch", "machine:\n  network:\n    $patch: delete\n", []string{"machine.network.$patch: unknown field (line 3)"}},
		{"binary", "\x7fELF\x00\x01", []string{""}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse([]byte(tc.text))
			problems := problemsOf(err)
			if len(problems) != len(tc.want) {
				t.Fatalf("got %v", err)
			}
			for i, want := range tc.want {
				if !strings.Contains(problems[i].String(), want) {
					t.Errorf("got %q, want %q", problems[i], want)
				}
			}
			if status.Code(err) != codes.InvalidArgument || strings.ContainsAny(err.Error(), "\x00\x1b") {
				t.Errorf("status of %q", err)
			}
		})
	}
}

func TestParseTakesNeutralValuesOfRefusedFields(t *testing.T) {
	text := "machine:\n  network:\n    kubespan: {enabled: false}\n    interfaces: []\n  systemDiskEncryption: {}\n  files: []\n  sysctls: null\n"
	if _, err := Parse([]byte(text)); err != nil {
		t.Error(err)
	}
}

func TestParseBoundsWork(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		name := string(rune('b' + i))
		bomb += name + ": &" + name + " [" + strings.TrimSuffix(strings.Repeat("*"+string(rune('a'+i))+",", 10), ",") + "]\n"
	}
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"too large", bytes.Repeat([]byte("#"), MaxBytes+1), "over 4194304 bytes"},
		{"gzip bomb", zipped(bytes.Repeat([]byte(" "), 64<<20)), "over 4194304 bytes"},
		{"cut gzip", zipped(whole())[:200], "gzip: "},
		{"gzip without content", []byte{0x1f, 0x8b}, "gzip: "},
		{"zstd", []byte{0x28, 0xb5, 0x2f, 0xfd, 0}, "compressed with zstd"},
		{"alias bomb", []byte(bomb), "too complex"},
		{"deep", []byte(strings.Repeat("{a: ", 100) + strings.Repeat("}", 100)), "too complex"},
		{"many values", []byte("machine: [" + strings.Repeat("1,", 300_000) + "]"), "too complex"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := Parse(tc.data); problemsOf(err) == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestLongListOfProblemsIsCut(t *testing.T) {
	var text strings.Builder
	text.WriteString("machine:\n")
	for i := range 100 {
		fmt.Fprintf(&text, "  x%d: 1\n", i)
	}
	_, err := Parse([]byte(text.String()))
	if lines := strings.Split(err.Error(), "\n"); len(lines) != maxProblems+1 || lines[maxProblems] != "and 70 more" {
		t.Errorf("got %q", lines)
	}
}

func TestValidateSaysWhichField(t *testing.T) {
	metal := Mode{Platform: "metal", Installed: func() bool { return false }}
	installed := Mode{Platform: "metal", Installed: func() bool { return true }}
	tests := []struct {
		name string
		text string
		mode Mode
		want string
	}{
		{"no disk on metal", string(whole()), metal, "machine.install.disk: missing"},
		{"no disk but installed", string(whole()), installed, ""},
		{"no disk in a cloud", string(whole()), Mode{Platform: "aws", Installed: func() bool { return false }}, ""},
		{"disk", strings.Replace(string(whole()), "install:\n", "install:\n        disk: /dev/vda\n", 1), metal, ""},
		{"no install", "machine: {type: worker}\ncluster: {}\n", metal, "machine.install: missing"},
		{"no cluster", "machine: {type: worker}\n", stored, "cluster: missing"},
		{"no machine", "cluster: {}\n", stored, "machine: missing"},
		{"no CA", "machine: {type: worker}\ncluster: {controlPlane: {endpoint: 'https://a:6443'}}\n", stored, "machine.ca: missing"},
		{"type", "machine: {type: foo}\n", stored, `machine.type: expected "controlplane" or "worker"`},
		{"persist", "persist: false\n" + strings.Replace(string(whole()), "persist: true\n", "", 1), stored, "persist: must be true"},
		{"two hostnames", strings.Replace(string(whole()), "machine:\n", "machine:\n    network: {hostname: a}\n", 1), stored, "HostnameConfig: conflicts with machine.network.hostname"},
		{"link", "apiVersion: v1alpha1\nkind: LinkConfig\n", stored, "LinkConfig"},
		{"registry", string(whole()) + "---\napiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: a b\nendpoints: [{url: 'http://c'}]\n", stored, `registries.mirrors["a b"]: expected a host`},
		{"subnet", strings.Replace(string(whole()), "cluster:\n", "cluster:\n    network: {podSubnets: [10.0.0.1]}\n", 1), stored, "cluster.network.podSubnets[0]: expected the address of a network"},
		{"pod", strings.Replace(string(whole()), "machine:\n", "machine:\n    pods: [{kind: Deployment}]\n", 1), stored, "machine.pods[0]: expected a Pod"},
		{"etcd", "machine: {type: controlplane, ca: {crt: LS0tCg==, key: LS0tCg==}}\ncluster: {controlPlane: {endpoint: 'https://a:6443'}, etcd: {ca: {crt: LS0tCg==, key: LS0tCg==}, extraArgs: {data-dir: /tmp}}}\n",
			stored, "cluster.etcd.extraArgs.data-dir: cannot be set"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			parsed, err := Parse([]byte(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			_, err = validate(context.Background(), parsed.Provider, tc.mode, newState())
			found := slices.ContainsFunc(problemsOf(err), func(p Problem) bool { return strings.Contains(p.String(), tc.want) })
			if tc.want == "" && err != nil || tc.want != "" && !found {
				t.Errorf("got %v", err)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(worker))
	f.Add(zipped([]byte("machine: {type: worker}\n")))
	for _, seed := range []string{
		"apiVersion: v1alpha1\nkind: LinkConfig\nname: eth0\naddresses: [{address: 10.0.0.1/8}]\n", "machine: &a {network: *a}", "machine:\n  files: [{op: create}]\n",
		"apiVersion: v1alpha1\nkind: VolumeConfig\nname: STATE\n---\napiVersion: v1alpha1\nkind: BondConfig\nname: b\n", ":   \xea", "machine: {install: {diskSelector: {size: '< 1TB'}}}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, err := Parse(data)
		if err != nil {
			return
		}
		text, err := expand(data)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := configloader.NewFromBytes(text); err != nil {
			t.Fatalf("machinery refuses it: %v", err)
		}
		_, _ = validate(context.Background(), parsed.Provider, stored, nil)
		if _, err := changesBetween(nil, parsed.Provider); err != nil {
			t.Logf("cannot be compared: %v", err)
		}
	})
}
