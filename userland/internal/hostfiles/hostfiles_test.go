// SPDX-License-Identifier: Apache-2.0

package hostfiles

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func addrs(texts ...string) (found []netip.Addr) {
	for _, t := range texts {
		found = append(found, netip.MustParseAddr(t))
	}
	return found
}

func TestWrite(t *testing.T) {
	const local = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
	tests := []struct {
		name          string
		content       Content
		hosts, resolv string
	}{
		{"a name only", Content{Hostname: "node"}, local + "127.0.1.1 node\n", ""},
		{"domain and address", Content{Hostname: "node", Domain: "example.org", Address: netip.MustParseAddr("10.0.2.15")},
			local + "10.0.2.15 node.example.org node\n", ""},
		{"resolvers up to three", Content{Hostname: "node", Search: []string{"a.example", "b.example"},
			Resolvers: addrs("10.0.0.1", "2001:db8::1", "10.0.0.2", "10.0.0.3")},
			local + "127.0.1.1 node\n", "search a.example b.example\nnameserver 10.0.0.1\nnameserver 2001:db8::1\nnameserver 10.0.0.2\n"},
		{"static hosts", Content{Hostname: "node", Hosts: []Host{{netip.MustParseAddr("10.5.0.2"), []string{"db", "db.example"}}}},
			local + "127.0.1.1 node\n10.5.0.2 db db.example\n", ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "dodeka")
			for range 2 { // the second finds the files
				if err := Write(dir, tc.content); err != nil {
					t.Fatal(err)
				}
			}
			for file, want := range map[string]string{"hostname": "node\n", "hosts": tc.hosts, "resolv.conf": tc.resolv} {
				if got, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(got) != want {
					t.Errorf("%s: got %q (%v), want %q", file, got, err, want)
				}
			}
		})
	}
}

func TestWriteLeavesARightFileAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "hostname")
	if err := Write(dir, Content{Hostname: "node"}); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, Content{Hostname: "node"}); err != nil {
		t.Fatal(err)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
		t.Errorf("the file was replaced (%v)", err)
	}
}

func TestValidName(t *testing.T) {
	label := strings.Repeat("a", 63)
	for name, want := range map[string]bool{
		"node": true, "node-1.example.org": true, label: true, "1": true, "": false, ".": false, "a..b": false, "a.": false, "-a": false,
		"a-": false, "a_b": false, "a b": false, "a\nb": false, "a#": false, "\u00e9": false, label + "a": false,
		strings.Repeat(label+".", 4): false, strings.Repeat("a.", 126) + "a": true, strings.Repeat("a.", 127) + "a": false,
	} {
		if got := ValidName(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
