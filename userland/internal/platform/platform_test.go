// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/impl/inmem"
	"github.com/cosi-project/runtime/pkg/state/impl/namespaced"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
)

func TestNewRefusesOtherPlatforms(t *testing.T) {
	if _, err := New("mainframe", Options{}); err == nil || !strings.Contains(err.Error(), `"mainframe" is not one of aws, azure, gcp`) {
		t.Errorf("got %v", err)
	}
}

func TestMetalURL(t *testing.T) {
	options := Options{
		SMBIOS: func(field string) string {
			return map[string]string{"product_uuid": "ABC-1", "product_serial": "a/b?c=d&e f"}[field]
		},
		MAC: func() string { return "52:54:00:00:00:01" }, Hostname: func() string { return "" },
	}
	tests := []struct{ name, url, want, fail string }{
		{"no variables", "https://h/a?b=c", "https://h/a?b=c", ""},
		{"host only", "http://h", "http://h", ""},
		{"query", "http://h/?u=${uuid}&m=${mac}&h=${hostname}", "http://h/?u=abc-1&m=52%3A54%3A00%3A00%3A00%3A01&h=", ""},
		{"path", "http://h/${mac}/x", "http://h/52:54:00:00:00:01/x", ""},
		{"hostile serial in the path", "http://h/${serial}", "http://h/a%2Fb%3Fc=d&e%20f", ""},
		{"hostile serial in the query", "http://h/?s=${serial}", "http://h/?s=a%2Fb%3Fc%3Dd%26e+f", ""},
		{"twice", "http://h/${uuid}/${uuid}", "http://h/abc-1/abc-1", ""},
		{"port and user", "http://u:p@h:81/a", "http://u:p@h:81/a", ""},
		{"unknown", "http://h/${code}", "", `variable "code"`},
		{"not closed", "http://h/${uuid", "", "variable"},
		{"in the host", "http://${hostname}/", "", "without variables there"},
		{"in the scheme", "${uuid}://h/", "", "must begin with"},
		{"other scheme", "file:///etc/passwd", "", "must begin with"},
		{"no scheme", "h/a", "", "must begin with"},
		{"no host", "http:///a", "", "must begin with"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, err := metal{options}.expand(tc.url)
			if got != tc.want || (err != nil) != (tc.fail != "") || err != nil && !strings.Contains(err.Error(), tc.fail) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

// expectRead reads a platform. fail is part of the error, empty for none.
func expectRead(t *testing.T, platform string, options Options, config, host, fail string) {
	t.Helper()
	reader, err := New(platform, options)
	if err != nil {
		t.Fatal(err)
	}
	found, err := reader.Read(context.Background())
	if (err != nil) != (fail != "") || err != nil && !strings.Contains(err.Error(), fail) {
		t.Fatalf("got %v", err)
	}
	if string(found.Config) != config || found.Hostname != host {
		t.Errorf("got %q and %q", found.Config, found.Hostname)
	}
}

func TestVolumes(t *testing.T) {
	ovf := `<?xml version="1.0"?><Environment xmlns:wa="w"><wa:LinuxProvisioningConfigurationSet><wa:CustomData>` + b64(config) + `</wa:CustomData></wa:LinuxProvisioningConfigurationSet></Environment>`
	azureService := &service{answers: map[string]string{"/metadata/instance?api-version=2021-02-01&format=json": "{}"}}
	azureURL := start(t, azureService)
	nothing := start(t, &service{})
	big := strings.Repeat("#", MaxBytes+1)
	tests := []struct {
		name, platform string
		options        Options
		volumes        map[string]fstest.MapFS
		config, host   string
		fail           string
	}{
		{"nocloud", "nocloud", Options{}, map[string]fstest.MapFS{"cidata": files("meta-data", "hostname: a\n", "user-data", config, "network-config", networkV1)}, config, "a", ""},
		{"nocloud without a medium", "nocloud", Options{}, nil, "", "", ErrNone.Error()},
		{"nocloud without files", "nocloud", Options{}, map[string]fstest.MapFS{"cidata": files()}, "", "", ""},
		{"nocloud for cloud-init", "nocloud", Options{}, map[string]fstest.MapFS{"cidata": files("user-data", "#cloud-config\nusers: []\n", "meta-data", "local-hostname: b\n")}, "", "b", ""},
		{"nocloud with a serial number", "nocloud", Options{SMBIOS: func(string) string { return "s=http://192.0.2.1/" }}, map[string]fstest.MapFS{"cidata": files("user-data", config)}, config, "", ""},
		{"nocloud with hints", "nocloud", Options{SMBIOS: func(string) string { return "ds=nocloud;h=c;i=1" }}, map[string]fstest.MapFS{"cidata": files("user-data", config, "meta-data", "hostname: a\n")}, config, "c", ""},
		{"nocloud with a broken URL", "nocloud", Options{SMBIOS: func(string) string { return "ds=nocloud;s=http:///" }}, nil, "", "", "cannot be read"},
		{"nocloud with broken meta-data", "nocloud", Options{}, map[string]fstest.MapFS{"cidata": files("meta-data", "a: [", "user-data", config)}, "", "", "meta-data: "},
		{"nocloud with a broken network", "nocloud", Options{}, map[string]fstest.MapFS{"cidata": files("network-config", "version: 3", "user-data", config)}, "", "", "network-config: version is not 1 or 2"},
		{"nocloud with a huge file", "nocloud", Options{}, map[string]fstest.MapFS{"cidata": files("user-data", big)}, "", "", "user-data is over"},
		{"nocloud with a directory", "nocloud", Options{}, map[string]fstest.MapFS{"cidata": files("user-data/x", "")}, "", "", "not a regular file"},
		{"metal", "metal", Options{URL: "metal-iso"}, map[string]fstest.MapFS{"metal-iso": files("config.yaml", config)}, config, "", ""},
		{"metal without a medium", "metal", Options{URL: "metal-iso"}, nil, "", "", ErrNone.Error()},
		{"metal without a URL", "metal", Options{}, nil, "", "", ErrNone.Error()},
		{"azure", "azure", Options{Endpoint: azureURL}, map[string]fstest.MapFS{"file:ovf-env.xml": files("ovf-env.xml", ovf)}, config, "", ""},
		{"azure without custom data", "azure", Options{Endpoint: azureURL}, map[string]fstest.MapFS{"file:ovf-env.xml": files("ovf-env.xml", "<a/>")}, "", "", ""},
		{"azure with broken XML", "azure", Options{Endpoint: azureURL}, map[string]fstest.MapFS{"file:ovf-env.xml": files("ovf-env.xml", "<a><b>")}, "", "", "ovf-env.xml: "},
		{"azure with broken base64", "azure", Options{Endpoint: azureURL}, map[string]fstest.MapFS{"file:ovf-env.xml": files("ovf-env.xml", "<CustomData>!</CustomData>")}, "", "", "illegal base64"},
		{"azure with an entity", "azure", Options{Endpoint: azureURL}, map[string]fstest.MapFS{"file:ovf-env.xml": files("ovf-env.xml", `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><CustomData>&x;</CustomData>`)}, "", "", "invalid character entity"},
		{"openstack", "openstack", Options{Endpoint: nothing}, map[string]fstest.MapFS{"config-2": files("openstack/latest/meta_data.json", `{"hostname":"d"}`, "openstack/latest/user_data", config)}, config, "d", ""},
		{"openstack with broken JSON", "openstack", Options{Endpoint: nothing}, map[string]fstest.MapFS{"config-2": files("openstack/latest/network_data.json", "{")}, "", "", "network_data.json: "},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			tc.options.Fetch = quick
			tc.options.OpenVolume = media(t, tc.volumes)
			expectRead(t, tc.platform, tc.options, tc.config, tc.host, tc.fail)
		})
	}
}

func TestVMware(t *testing.T) {
	meta := "instance-id: i-1\nlocal-hostname: vm.example\nnetwork:\n  version: 2\n  ethernets:\n    nics:\n      match: {name: eth0}\n      dhcp4: true\n"
	tests := []struct {
		name      string
		variables map[string]string
		config    string
		host      string
		fail      string
	}{
		{"all", map[string]string{"metadata": b64(meta), "talos.config": b64(config), "userdata": b64("other")}, config, "vm.example", ""},
		{"user data", map[string]string{"userdata": b64(config)}, config, "", ""},
		{"user data for cloud-init", map[string]string{"userdata": b64("#cloud-config\n")}, "", "", ""},
		{"nothing", nil, "", "", ""},
		{"not base64", map[string]string{"talos.config": "?"}, "", "", "talos.config: illegal base64"},
		{"broken metadata", map[string]string{"metadata": b64("a: ["), "talos.config": b64(config)}, "", "", "metadata: "},
		{"huge", map[string]string{"talos.config": strings.Repeat("A", 6<<20)}, "", "", "talos.config: it is over"},
		{"broken call", map[string]string{"metadata": "!"}, "", "", "metadata: "},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			guest := func(_ context.Context, name string) (string, error) {
				if value, found := tc.variables[name]; found {
					return value, nil
				}
				return "", fmt.Errorf("%s: %w", name, ErrNone)
			}
			expectRead(t, "vmware", Options{GuestInfo: guest}, tc.config, tc.host, tc.fail)
		})
	}
}

func TestPublish(t *testing.T) {
	st := state.WrapCore(namespaced.NewState(inmem.Build))
	found := Metadata{Hostname: "host.example", PublicIPs: addresses("203.0.113.1", "x", "203.0.113.1")}.finish("aws")
	for range 2 {
		if err := Publish(context.Background(), st, found); err != nil {
			t.Fatal(err)
		}
	}
	facts, err := safe.StateGetByID[*runtime.PlatformMetadata](context.Background(), st, runtime.PlatformMetadataID)
	if err != nil || facts.TypedSpec().Platform != "aws" || facts.TypedSpec().Hostname != "host.example" {
		t.Errorf("got %v, %v", facts, err)
	}
	spec, err := safe.StateGetByID[*network.PlatformConfig](context.Background(), st, network.PlatformConfigActiveID)
	if err != nil || len(spec.TypedSpec().ExternalIPs) != 1 || spec.TypedSpec().Hostnames[0].FQDN() != "host.example" {
		t.Errorf("got %v, %v", spec, err)
	}
}

func TestSources(t *testing.T) {
	embedded := filepath.Join(t.TempDir(), "machine-config")
	if err := os.WriteFile(embedded, []byte("a: 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	url := start(t, &service{answers: map[string]string{"/c": config}})
	tests := []struct {
		platform string
		options  Options
		want     string
	}{
		{"metal", Options{URL: url + "/c"}, "embedded, kernel argument (network), nocloud medium"},
		{"metal", Options{}, "embedded, nocloud medium"},
		{"metal", Options{URL: "metal-iso"}, "embedded, kernel argument, nocloud medium"},
		{"nocloud", Options{}, "embedded, nocloud"},
		{"nocloud", Options{SMBIOS: func(string) string { return "ds=nocloud;s=http://192.0.2.1/" }}, "embedded, nocloud (network)"},
		{"aws", Options{URL: url + "/c"}, "embedded, kernel argument (network), aws (network)"},
		{"vmware", Options{URL: "guestinfo"}, "embedded, vmware"},
	}
	for _, tc := range tests {
		sources, err := Sources(tc.platform, tc.options, embedded, nil)
		var names []string
		for _, source := range sources {
			names = append(names, source.Name+map[bool]string{true: " (network)"}[source.Network])
		}
		if got := strings.Join(names, ", "); err != nil || got != tc.want {
			t.Errorf("%s: got %q, %v", tc.platform, got, err)
		}
	}
	var seen []Metadata
	sources, err := Sources("metal", Options{URL: url + "/c", Fetch: quick}, embedded, func(m Metadata) { seen = append(seen, m) })
	if err != nil {
		t.Fatal(err)
	}
	data, err := sources[1].Read(context.Background())
	if err != nil || string(data) != config || len(seen) != 1 {
		t.Errorf("got %q, %v, %v", data, err, seen)
	}
	if _, err := sources[2].Read(context.Background()); err == nil || errors.Is(err, ErrNone) {
		t.Errorf("nothing is %v, expected settings.ErrNone", err)
	}
	if _, err := Sources("mainframe", Options{}, embedded, nil); err == nil {
		t.Error("an unknown platform has sources")
	}
}

func TestDescribeTellsAllButTheConfiguration(t *testing.T) {
	medium := map[string]fstest.MapFS{"cidata": files("meta-data", "hostname: a\n", "user-data", config, "network-config", networkV1)}
	tests := []struct {
		platform string
		volumes  map[string]fstest.MapFS
		want     string
	}{
		{"nocloud", medium, "host a, network true, configuration false"},
		{"nocloud", nil, ""},
		{"nocloud", map[string]fstest.MapFS{"cidata": files("meta-data", "a: [")}, "error"},
		{"metal", medium, ""},
	}
	for _, tc := range tests {
		got := ""
		err := Describe(context.Background(), tc.platform, Options{OpenVolume: media(t, tc.volumes)}, func(m Metadata) {
			got = fmt.Sprintf("host %s, network %v, configuration %v", m.Hostname, m.Network != nil, m.Config != nil)
		})
		if err != nil {
			got = "error"
		}
		if got != tc.want {
			t.Errorf("%s: got %q (%v), want %q", tc.platform, got, err, tc.want)
		}
	}
}

func TestMediaWithoutDrives(t *testing.T) {
	sys := t.TempDir()
	if err := os.MkdirAll(filepath.Join(sys, "class/block/sr0"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(sys, "class/block/sr0/size"), []byte("8\n"), 0o400); err != nil {
		t.Fatal(err)
	}
	m := Media{Sys: sys, Dev: t.TempDir(), Run: t.TempDir()}
	if _, err := m.Open(context.Background(), VolumeQuery{Labels: []string{"cidata"}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	dmi := DMI(sys)
	if err := os.WriteFile(filepath.Join(sys, "product_serial"), []byte("S1\n"), 0o400); err != nil {
		t.Fatal(err)
	}
	if dmi("product_serial") != "S1" || dmi("product_uuid") != "" || dmi("../"+filepath.Base(sys)+"/product_serial") != "" {
		t.Error("SMBIOS fields")
	}
}
