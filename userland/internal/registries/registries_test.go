// SPDX-License-Identifier: Apache-2.0

package registries

import (
	"encoding/base64"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	configapi "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/resources/config"

	"dodeka/userland/internal/badfield"
	"dodeka/userland/internal/osstate"
)

func load(t *testing.T, text string) configapi.Provider {
	t.Helper()
	provider, err := configloader.NewFromBytes([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return provider
}

// withMachine is a configuration whose section machine.registries is text.
func withMachine(text string) string {
	return "version: v1alpha1\nmachine:\n  registries:\n" + text
}

func TestFiles(t *testing.T) {
	ca := "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"
	inBase64 := base64.StdEncoding.EncodeToString([]byte(ca))
	tests := []struct {
		name, text string
		want       map[string]string
	}{
		{"nothing", "version: v1alpha1\nmachine: {}\n", map[string]string{}},
		{
			"mirrors in order, then the registry itself",
			withMachine("    mirrors:\n      docker.io:\n        endpoints: [https://b.example/v2/hub, \"http://10.0.0.1:5000\", https://b.example/v2/hub]\n        overridePath: true\n"),
			map[string]string{"docker.io/hosts.toml": `
[host."https://b.example/v2/hub"]
capabilities = ["pull", "resolve"]
override_path = true

[host."http://10.0.0.1:5000"]
capabilities = ["pull", "resolve"]
override_path = true
`},
		},
		{
			"all registries, and never themselves",
			withMachine("    mirrors:\n      \"*\":\n        endpoints: [https://a.example, https://b.example]\n        skipFallback: true\n"),
			map[string]string{"_default/hosts.toml": `server = "https://b.example"
capabilities = ["pull", "resolve"]

[host."https://a.example"]
capabilities = ["pull", "resolve"]
`},
		},
		{
			"who is believed and as whom, also where there is no mirror",
			withMachine("    config:\n      r.example:5000:\n        auth: {username: u, password: \"p\\\"\"}\n        tls: {ca: " + inBase64 + ", insecureSkipVerify: true}\n"),
			map[string]string{
				"r.example:5000/0-ca.crt": ca,
				"r.example:5000/hosts.toml": "skip_verify = true\nca = \"0-ca.crt\"\n[header]\n" +
					"Authorization = \"Basic dTpwIg==\"\n",
			},
		},
		{
			"a registry of which something is said keeps the mirrors of all",
			withMachine("    mirrors:\n      \"*\":\n        endpoints: [https://m.example]\n    config:\n      r.example:\n        auth: {auth: eDp5}\n      m.example:\n        auth: {auth: bTpt}\n"),
			map[string]string{
				"_default/hosts.toml": "\n[host.\"https://m.example\"]\ncapabilities = [\"pull\", \"resolve\"]\n" +
					"[host.\"https://m.example\".header]\nAuthorization = \"Basic bTpt\"\n",
				"r.example/hosts.toml": "[header]\nAuthorization = \"Basic eDp5\"\n" +
					"\n[host.\"https://m.example\"]\ncapabilities = [\"pull\", \"resolve\"]\n" +
					"[host.\"https://m.example\".header]\nAuthorization = \"Basic bTpt\"\n",
				"m.example/hosts.toml": "[header]\nAuthorization = \"Basic bTpt\"\n" +
					"\n[host.\"https://m.example\"]\ncapabilities = [\"pull\", \"resolve\"]\n" +
					"[host.\"https://m.example\".header]\nAuthorization = \"Basic bTpt\"\n",
			},
		},
		{
			"documents of their own, and docker's other name",
			"apiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: ghcr.io\nendpoints:\n  - url: https://m.example\n    overridePath: true\n" +
				"---\napiVersion: v1alpha1\nkind: RegistryAuthConfig\nname: registry-1.docker.io\nusername: u\npassword: p\n" +
				"---\napiVersion: v1alpha1\nkind: RegistryMirrorConfig\nname: docker.io\n",
			map[string]string{
				"ghcr.io/hosts.toml":              "\n[host.\"https://m.example\"]\ncapabilities = [\"pull\", \"resolve\"]\noverride_path = true\n",
				"registry-1.docker.io/hosts.toml": "[header]\nAuthorization = \"Basic dTpw\"\n",
				"docker.io/hosts.toml":            "[header]\nAuthorization = \"Basic dTpw\"\n",
			},
		},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			files, err := Files(load(t, tc.text))
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for path, content := range files {
				got[path] = string(content)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatCannotBeToldIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"    mirrors: {\"../../etc\": {endpoints: [https://a.example]}}\n":               `registries.mirrors["../../etc"]`,
		"    mirrors: {\"..\": {endpoints: [https://a.example]}}\n":                      `registries.mirrors[".."]`,
		"    mirrors: {\"_default\": {endpoints: [https://a.example]}}\n":                `registries.mirrors["_default"]`,
		"    mirrors: {\"a.example/x\": {endpoints: [https://a.example]}}\n":             `registries.mirrors["a.example/x"]`,
		"    mirrors: {a.example: {endpoints: [\"ftp://b.example\"]}}\n":                 `registries.mirrors["a.example"].endpoints[0]`,
		"    mirrors: {\"*\": {endpoints: [https://b.example, \"https://u:p@c.de\"]}}\n": `registries.mirrors["*"].endpoints[1]`,
		"    mirrors: {a.example: {skipFallback: true}}\n":                               `registries.mirrors["a.example"].skipFallback`,
		"    config: {\"*\": {auth: {auth: eDp5}}}\n":                                    `registries.auth["*"]`,
		"    config: {\"a b\": {tls: {insecureSkipVerify: true}}}\n":                     `registries.tls["a b"]`,
	} {
		_, err := Files(load(t, withMachine(text)))
		if wrong := (*badfield.Error)(nil); !errors.As(err, &wrong) || wrong.Path != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestANameThatIsTooLongForAFolderIsRefused(t *testing.T) {
	long := strings.Repeat("a.", 124) + "example" // a host's name of 255 bytes is none (RFC 1035), with a port it would fit
	for name, isGood := range map[string]bool{long[2:]: true, long[2:] + ":5000": false} {
		_, err := Files(load(t, withMachine("    config: {\""+name+"\": {auth: {auth: eDp5}}}\n")))
		if (err == nil) != isGood {
			t.Errorf("%d bytes: %v", len(name), err)
		}
	}
}

func TestReplaceThatFailsLeavesNothing(t *testing.T) {
	link := filepath.Join(t.TempDir(), "registries")
	if err := replace(link, map[string][]byte{"a": nil, "a/b": nil}); err == nil {
		t.Error("a file is a folder, too")
	}
	if entries, err := os.ReadDir(filepath.Dir(link)); err != nil || len(entries) != 0 {
		t.Errorf("%v (%v) is left", entries, err)
	}
}

func TestReplaceLeavesOneFolderThatOnlyRootReads(t *testing.T) {
	link := filepath.Join(t.TempDir(), "registries")
	for _, files := range []map[string][]byte{{"a/hosts.toml": []byte("1")}, {}, {"b.example:5000/hosts.toml": []byte("2")}} {
		if err := replace(link, files); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(filepath.Join(link, "b.example:5000/hosts.toml"))
	if err != nil || string(content) != "2" {
		t.Errorf("%q (%v)", content, err)
	}
	entries, err := os.ReadDir(filepath.Dir(link))
	if err != nil || len(entries) != 2 {
		t.Errorf("%v (%v), expected the link and its folder", entries, err)
	}
	for path, want := range map[string]os.FileMode{"": 0o700, "b.example:5000": 0o700, "b.example:5000/hosts.toml": 0o600} {
		info, err := os.Stat(filepath.Join(link, path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%q: %v (%v)", path, info.Mode(), err)
		}
	}
}

func TestFollowsTheConfiguration(t *testing.T) {
	ctx := t.Context()
	resources, err := osstate.New(ctx)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "registries")
	if err := resources.Runtime.RegisterController(&Controller{Link: link}); err != nil {
		t.Fatal(err)
	}
	go func() { _ = resources.Runtime.Run(ctx) }()
	awaitNames(t, link)
	active := config.NewMachineConfig(load(t, withMachine("    mirrors: {a.example: {endpoints: [https://b.example]}}\n")))
	if err := resources.State.Create(ctx, active); err != nil {
		t.Fatal(err)
	}
	awaitNames(t, link, "a.example")
	if err := resources.State.Destroy(ctx, active.Metadata()); err != nil {
		t.Fatal(err)
	}
	awaitNames(t, link)
}

// awaitNames waits until these are what the folder holds.
func awaitNames(t *testing.T, folder string, want ...string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		names := map[string]bool{}
		entries, err := os.ReadDir(folder)
		for _, entry := range entries {
			names[entry.Name()] = true
		}
		if got := slices.Sorted(maps.Keys(names)); err == nil && slices.Equal(got, want) {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("%s (%v), expected %s", strings.Join(got, " "), err, strings.Join(want, " "))
		}
	}
}
