// SPDX-License-Identifier: Apache-2.0

package blockdevice

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestImageFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, bytes.Repeat([]byte{7}, 8192), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := OpenWritable(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Size() != 8192 || d.SectorBytes() != 512 || d.IsBlock() {
		t.Fatalf("size %d, sector %d, block %v", d.Size(), d.SectorBytes(), d.IsBlock())
	}
	if err := d.Zero(100, 200); err != nil {
		t.Fatal(err)
	}
	if err := d.DropCache(); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 8192)
	if _, err := d.ReadAt(got, 0); err != nil {
		t.Fatal(err)
	}
	if got[99] != 7 || got[100] != 0 || got[299] != 0 || got[300] != 7 {
		t.Error("zeros are not where they belong")
	}
}

func TestOpenRefusesDirectoriesAndCharacterDevices(t *testing.T) {
	for _, path := range []string{t.TempDir(), "/dev/null"} {
		if d, err := Open(path); err == nil {
			_ = d.Close()
			t.Errorf("%s was opened", path)
		}
	}
}

func TestSectionNeverLeavesItsRange(t *testing.T) {
	whole := NewRecorder(1<<20, 512)
	if _, err := NewSection(whole, 1<<20-10, 11); err == nil {
		t.Error("a section past the end was made")
	}
	s, err := NewSection(whole, 4096, 4096)
	if err != nil {
		t.Fatal(err)
	}
	for _, offset := range []int64{-1, 4090, 1 << 62} {
		if _, err := s.WriteAt(make([]byte, 10), offset); err == nil {
			t.Errorf("wrote at %d", offset)
		}
		if err := s.Zero(offset, 10); err == nil {
			t.Errorf("zeroed at %d", offset)
		}
	}
	if _, err := s.WriteAt([]byte("x"), 4095); err != nil {
		t.Error(err)
	}
}

func TestRecorderReplaysACut(t *testing.T) {
	start := NewRecorder(1<<40, 512)
	r := start.Clone()
	for i, text := range []string{"aaaa", "bbbb"} {
		if _, err := r.WriteAt([]byte(text), 4094+int64(i)*4); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Zero(4095, 2); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		n    int
		torn int64
		want string
	}{
		{0, 0, "\x00\x00\x00\x00\x00\x00\x00\x00"},
		{0, 3, "aaa\x00\x00\x00\x00\x00"},
		{1, 0, "aaaa\x00\x00\x00\x00"},
		{2, 0, "aaaabbbb"},
		{2, 1, "a\x00aabbbb"},
		{3, 0, "a\x00\x00abbbb"},
	}
	for _, tc := range tests {
		got := make([]byte, 8)
		if _, err := r.CutAfter(start, tc.n, tc.torn).ReadAt(got, 4094); err != nil || string(got) != tc.want {
			t.Errorf("after %d and %d bytes: %q, %v", tc.n, tc.torn, got, err)
		}
	}
}
