// SPDX-License-Identifier: Apache-2.0

// Package hostfiles writes the files that links in the read-only /etc point at: hostname, hosts and resolv.conf.
// Spec: hosts(5), resolv.conf(5), hostname(5). The caller has checked every name with ValidName: nothing is quoted here.
package hostfiles

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

const (
	maxResolvers = 3   // resolv.conf(5) MAXNS
	maxSearch    = 6   // older libraries read no more
	maxName      = 253 // RFC 1035
)

// Host is a line of hosts(5).
type Host struct {
	Address netip.Addr
	Names   []string
}

// Content is what the files say.
type Content struct {
	Hostname  string
	Domain    string
	Address   netip.Addr // of the machine, if it has one
	Resolvers []netip.Addr
	Search    []string
	Hosts     []Host
}

// ValidName accepts labels of letters, digits and inner hyphens, joined by dots (RFC 1123 section 2.1). So no name can put
// a line break or a comment into a file.
func ValidName(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

func isLabel(label string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"
	return label != "" && len(label) <= 63 && label[0] != '-' && label[len(label)-1] != '-' && strings.Trim(label, allowed) == ""
}

// Write replaces the files in dir, which it makes if it must. Nobody who watches a file is woken when its text is right.
func Write(dir string, c Content) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return cmp.Or(
		Replace(filepath.Join(dir, "hostname"), c.Hostname+"\n"),
		Replace(filepath.Join(dir, "hosts"), hosts(c)),
		Replace(filepath.Join(dir, "resolv.conf"), resolv(c)),
	)
}

// hosts gives the machine's own name its address when there is one, so that what asks for it gets one that others can
// reach, and 127.0.1.1 otherwise.
func hosts(c Content) string {
	names := c.Hostname
	if c.Domain != "" {
		names = c.Hostname + "." + c.Domain + " " + c.Hostname
	}
	own := "127.0.1.1"
	if c.Address.IsValid() {
		own = c.Address.String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n%s %s\n", own, names)
	for _, h := range c.Hosts {
		fmt.Fprintf(&b, "%s %s\n", h.Address, strings.Join(h.Names, " "))
	}
	return b.String()
}

func resolv(c Content) string {
	var b strings.Builder
	if search := c.Search[:min(len(c.Search), maxSearch)]; len(search) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(search, " "))
	}
	for _, r := range c.Resolvers[:min(len(c.Resolvers), maxResolvers)] {
		fmt.Fprintf(&b, "nameserver %s\n", r)
	}
	return b.String()
}

// Replace lets a reader see the old text or the new one, never a half. A file whose text is right is left alone.
func Replace(path, text string) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == text {
		return nil
	}
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
