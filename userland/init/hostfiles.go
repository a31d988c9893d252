// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"dodeka/userland/internal/lease"
)

const maxResolvers = 3 // resolv.conf(5) MAXNS

// hostFiles writes the files that links in the read-only /etc point at: hostname, hosts and resolv.conf.
// Spec: hosts(5), resolv.conf(5), hostname(5).
type hostFiles struct {
	mu     sync.Mutex
	dir    string
	name   string
	leases map[string]lease.Config // by interface
}

func newHostFiles(dir string) *hostFiles {
	return &hostFiles{dir: dir, leases: map[string]lease.Config{}}
}

func (h *hostFiles) setHostname(name string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.name = name
	return h.write()
}

func (h *hostFiles) setLease(link string, c lease.Config) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.leases[link] = c
	return h.write()
}

func (h *hostFiles) dropLease(link string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.leases, link)
	return h.write()
}

func (h *hostFiles) write() error {
	if err := os.MkdirAll(h.dir, 0o755); err != nil {
		return err
	}
	return cmp.Or(
		replaceFile(filepath.Join(h.dir, "hostname"), h.name+"\n"),
		replaceFile(filepath.Join(h.dir, "hosts"), hostsText(h.name)),
		replaceFile(filepath.Join(h.dir, "resolv.conf"), resolvText(h.leases)),
	)
}

func hostsText(name string) string {
	return fmt.Sprintf("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n127.0.1.1 %s\n", name)
}

// resolvText takes the resolvers and domains of all leases, in the order of the interfaces' names, each once.
func resolvText(leases map[string]lease.Config) string {
	var resolvers []netip.Addr
	var domains []string
	for _, link := range slices.Sorted(maps.Keys(leases)) {
		for _, r := range leases[link].Resolvers {
			if !slices.Contains(resolvers, r) && len(resolvers) < maxResolvers {
				resolvers = append(resolvers, r)
			}
		}
		if d := leases[link].Domain; d != "" && !slices.Contains(domains, d) {
			domains = append(domains, d)
		}
	}
	var b strings.Builder
	if len(domains) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(domains, " "))
	}
	for _, r := range resolvers {
		fmt.Fprintf(&b, "nameserver %s\n", r)
	}
	return b.String()
}

// replaceFile lets a reader see the old text or the new one, never a half.
func replaceFile(path, text string) error {
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
