// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestKeepMachineConfig(t *testing.T) {
	cases := []struct {
		name   string
		config []byte // nil: the image has none
		want   []byte
		fails  bool
	}{
		{name: "none"},
		{name: "empty", config: []byte{}, want: []byte{}},
		{name: "text", config: []byte("a: b\n"), want: []byte("a: b\n")},
		{name: "at the bound", config: make([]byte, maxConfigBytes), want: make([]byte, maxConfigBytes)},
		{name: "over the bound", config: make([]byte, maxConfigBytes+1), fails: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			from := filepath.Join(t.TempDir(), "machine-config")
			to := filepath.Join(t.TempDir(), "run", "machine-config")
			if c.config != nil {
				if err := os.WriteFile(from, c.config, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := keepMachineConfig(from, to); (err != nil) != c.fails {
				t.Fatalf("error %v, want failure %v", err, c.fails)
			}
			got, err := os.ReadFile(to)
			if c.want == nil {
				if err == nil {
					t.Fatalf("kept %d bytes, want none", len(got))
				}
				return
			}
			if err != nil || !bytes.Equal(got, c.want) {
				t.Fatalf("kept %d bytes (%v), want %d", len(got), err, len(c.want))
			}
			if info, _ := os.Stat(to); info.Mode().Perm() != 0o400 {
				t.Fatalf("mode %v, want 0400", info.Mode())
			}
		})
	}
}
