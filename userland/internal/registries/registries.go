// SPDX-License-Identifier: Apache-2.0

// Package registries tells containerd how to reach registries of images: by which mirrors, as whom, and whom to believe.
// A folder for each registry holds a hosts.toml and certificates; containerd reads them anew with every pull.
// Format: containerd, docs/hosts.md. Credentials are headers there, which containerd also sends to the server of tokens.
package registries

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config/config"

	"dodeka/userland/internal/badfield"
	"dodeka/userland/internal/hostfiles"
)

// Config is the part of a machine configuration that is about registries.
type Config interface {
	RegistryMirrorConfigs() map[string]config.RegistryMirrorConfig
	RegistryAuthConfigs() map[string]config.RegistryAuthConfig
	RegistryTLSConfigs() map[string]config.RegistryTLSConfig
}

const (
	maxName       = 255        // bytes: that of a folder, see mkdir(2)
	anyRegistry   = "*"        // in a configuration
	defaultFolder = "_default" // containerd's name for it
	hub           = "docker.io"
	hubHost       = "registry-1.docker.io"
)

// Files are what the folder must hold, by path below it. Errors are *badfield.Error.
func Files(c Config) (map[string][]byte, error) {
	t := table{c.RegistryMirrorConfigs(), c.RegistryAuthConfigs(), c.RegistryTLSConfigs()}
	names, err := t.names()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, name := range names {
		if err := t.registry(name, files); err != nil {
			return nil, err
		}
	}
	return files, nil
}

type table struct {
	mirrors map[string]config.RegistryMirrorConfig
	auths   map[string]config.RegistryAuthConfig
	tls     map[string]config.RegistryTLSConfig
}

// names are those of all registries of which something is said, once and in order.
func (t table) names() ([]string, error) {
	for name := range t.mirrors {
		if name != anyRegistry && !isHost(name) {
			return nil, notHost("mirrors", name)
		}
	}
	for name := range t.auths {
		if !isHost(name) {
			return nil, notHost("auth", name)
		}
	}
	for name := range t.tls {
		if !isHost(name) {
			return nil, notHost("tls", name)
		}
	}
	all := slices.Concat(slices.Collect(maps.Keys(t.mirrors)), slices.Collect(maps.Keys(t.auths)), slices.Collect(maps.Keys(t.tls)))
	slices.Sort(all)
	return slices.Compact(all), nil
}

func notHost(group, name string) error {
	return badfield.At(fmt.Sprintf("registries.%s[%q]", group, name), "expected a host, such as registry.example.org or 10.0.0.1:5000")
}

// isHost accepts what can stand before the first slash of an image's name; so it can be a folder's name too.
func isHost(name string) bool {
	if u, err := url.Parse("https://" + name); err != nil || u.Host != name || len(name) > maxName {
		return false
	} else if address, err := netip.ParseAddr(u.Hostname()); err == nil {
		return address.Zone() == ""
	} else {
		return hostfiles.ValidName(u.Hostname())
	}
}

// endpoint is a server to ask for the images of a registry.
type endpoint struct {
	url          string // empty: the registry's own
	host         string
	overridePath bool
}

// registry adds the files of one. Whoever has no mirrors of his own has those of all.
func (t table) registry(name string, files map[string][]byte) error {
	endpoints, last, err := t.endpoints(name)
	if err != nil {
		return err
	}
	w := &hostsFile{table: t, folder: name, files: files}
	if name == anyRegistry {
		w.folder = defaultFolder
	}
	w.entry(last)
	for _, e := range endpoints {
		w.text.WriteString("\n[host." + quote(e.url) + "]\n")
		w.entry(e)
	}
	files[w.folder+"/hosts.toml"] = []byte(w.text.String())
	return nil
}

// endpoints returns the servers that are asked first, and the one that is asked at the end.
func (t table) endpoints(name string) ([]endpoint, endpoint, error) {
	own := endpoint{host: name}
	mirror, found := t.mirrors[name]
	if !found {
		if mirror, found = t.mirrors[anyRegistry]; !found {
			return nil, own, nil
		}
		name = anyRegistry
	}
	var endpoints []endpoint
	for i, e := range mirror.Endpoints() {
		u, err := url.Parse(e.Endpoint())
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || !isHost(u.Host) || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			path := fmt.Sprintf("registries.mirrors[%q].endpoints[%d]", name, i)
			return nil, own, badfield.At(path, "expected a URL such as https://mirror.example.org:5000, without user and query")
		}
		next := endpoint{u.String(), u.Host, e.OverridePath()}
		if !slices.ContainsFunc(endpoints, func(known endpoint) bool { return known.url == next.url }) {
			endpoints = append(endpoints, next)
		}
	}
	if !mirror.SkipFallback() {
		return endpoints, own, nil
	}
	if len(endpoints) == 0 {
		return nil, own, badfield.At(fmt.Sprintf("registries.mirrors[%q].skipFallback", name), "needs an endpoint: nothing could be fetched")
	}
	end := len(endpoints) - 1
	return endpoints[:end], endpoints[end], nil
}

// hostsFile is one hosts.toml with the certificates that it names.
type hostsFile struct {
	table
	folder  string
	files   map[string][]byte
	text    strings.Builder
	entries int
}

// entry writes what is to be known of a server into the table at hand.
func (w *hostsFile) entry(e endpoint) {
	isTop := w.entries == 0
	if isTop && e.url != "" {
		w.line("server", quote(e.url))
	}
	if e.url != "" {
		w.line("capabilities", `["pull", "resolve"]`)
	}
	if e.overridePath {
		w.line("override_path", "true")
	}
	if t := w.tlsOf(e); t != nil {
		w.certificates(t)
	}
	if header := authorization(lookup(w.auths, e.host)); header != "" {
		parent := ""
		if !isTop {
			parent = "host." + quote(e.url) + "."
		}
		w.text.WriteString("[" + parent + "header]\n")
		w.line("Authorization", quote(header))
	}
	w.entries++
}

// tlsOf is nil where nothing is said, or nothing is encrypted.
func (w *hostsFile) tlsOf(e endpoint) config.RegistryTLSConfig {
	if strings.HasPrefix(e.url, "http:") {
		return nil
	}
	return lookup(w.tls, e.host)
}

func (w *hostsFile) certificates(t config.RegistryTLSConfig) {
	if t.InsecureSkipVerify() {
		w.line("skip_verify", "true")
	}
	if ca := t.CA(); len(ca) > 0 {
		w.line("ca", quote(w.file("ca.crt", ca)))
	}
	if pair := t.ClientIdentity(); pair != nil {
		w.line("client", fmt.Sprintf("[[%s, %s]]", quote(w.file("client.crt", pair.Crt)), quote(w.file("client.key", pair.Key))))
	}
}

// file keeps the content of a certificate or key for the entry at hand, and returns its name.
func (w *hostsFile) file(name string, content []byte) string {
	name = fmt.Sprintf("%d-%s", w.entries, name)
	w.files[w.folder+"/"+name] = content
	return name
}

func (w *hostsFile) line(key, value string) {
	w.text.WriteString(key + " = " + value + "\n")
}

// lookup knows Docker's registry by both of its names.
func lookup[T any](all map[string]T, host string) T {
	if found, ok := all[host]; ok || host != hub {
		return found
	}
	return all[hubHost]
}

// authorization is the header's value. Spec: RFC 7617.
func authorization(a config.RegistryAuthConfig) string {
	switch {
	case a == nil:
		return ""
	case a.Auth() != "":
		return "Basic " + a.Auth()
	case a.Username() != "":
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(a.Username()+":"+a.Password()))
	default:
		return ""
	}
}

// quote writes a basic string of TOML, whose escapes are those of JSON. Spec: TOML 1.0, "String".
func quote(s string) string {
	text, _ := json.Marshal(s) // a string always has one
	return string(text)
}
