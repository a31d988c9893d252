// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"dodeka/userland/internal/media"
	"dodeka/userland/internal/sysfs"
)

func TestSearchRulesOutForGoodOnlyWhatCannotChange(t *testing.T) {
	missing := fmt.Errorf("vfat: no dodeka/x.root: %w", fs.ErrNotExist)
	answers := map[string]error{"/dev/sda": media.ErrOther, "/dev/sda1": missing, "/dev/sr0": errors.New("input/output error")}
	var asked []string
	s := newSearch(func(device string) (*os.File, error) {
		asked = append(asked, device)
		return nil, answers[device]
	})
	blocks := []sysfs.Block{{Name: "sda", Sectors: 9}, {Name: "sr0", Sectors: 8}, {Name: "sr1"}, {Name: "sda1", Sectors: 7}}
	for range 2 {
		if image := s.look(blocks); image != nil {
			t.Fatal("found an image")
		}
	}
	if want := []string{"/dev/sda", "/dev/sr0", "/dev/sda1", "/dev/sr0"}; !slices.Equal(asked, want) {
		t.Errorf("asked %v, want %v", asked, want)
	}
	want := "sda: neither FAT32 nor ISO 9660; sr0: input/output error; sr1: no medium; sda1: vfat: no dodeka/x.root: file does not exist"
	if got := s.verdicts(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestSearchLooksAgainAtANewMedium(t *testing.T) {
	image := os.Stdin
	tries := 0
	s := newSearch(func(string) (*os.File, error) {
		if tries++; tries == 1 {
			return nil, media.ErrOther
		}
		return image, nil
	})
	first, second := []sysfs.Block{{Name: "sr0", Sectors: 9, Serial: "1"}}, []sysfs.Block{{Name: "sr0", Sectors: 9, Serial: "2"}}
	if got := s.look(first); got != nil {
		t.Error("the first medium was taken")
	}
	if got := s.look(first); got != nil || tries != 1 {
		t.Errorf("the first medium was tried %d times", tries)
	}
	if got := s.look(second); got != image {
		t.Error("the second medium was not taken")
	}
}

func TestVerdictsOfNothing(t *testing.T) {
	if got := newSearch(nil).verdicts(); got != "no block device appeared" {
		t.Errorf("got %q", got)
	}
}

func TestCheckLength(t *testing.T) {
	tests := []struct {
		name  string
		size  int64
		least uint64
		ok    bool
	}{
		{"exact", 8192, 8192, true},
		{"longer", 12288, 8192, true},
		{"shorter", 4096, 8192, false},
		{"no multiple of a block", 8193, 8192, false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			file, err := os.Create(filepath.Join(t.TempDir(), "image"))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if err := file.Truncate(tc.size); err != nil {
				t.Fatal(err)
			}
			if err := checkLength(file, tc.least); (err == nil) != tc.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestRemoveBelowKeepsLinkTargetsAndWhatIsCarried(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "keep")
	carried := filepath.Join(dir, "esp/dodeka/x.root")
	for _, path := range []string{outside, carried, filepath.Join(dir, "a/b/c"), filepath.Join(dir, "d")} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Dir(outside), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	except := filepath.Join(dir, "esp")
	removeBelow(dir, deviceOf(t, dir)+1, except) // another file system: nothing may go
	if entries, _ := os.ReadDir(dir); len(entries) != 4 {
		t.Errorf("deleted from another file system, %d entries left", len(entries))
	}
	removeBelow(dir, deviceOf(t, dir), except)
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d entries left", len(entries))
	}
	if _, err := os.Stat(carried); err != nil {
		t.Error("deleted what stands for a medium")
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error("followed a link")
	}
}

func TestPhasesHaveTheNamesOfTheContract(t *testing.T) {
	var names []string
	for _, p := range phases {
		names = append(names, p.Name)
	}
	want := []string{"mounts", "cmdline", "modules", "find-root", "verity", "root", "switch-root"}
	if !slices.Equal(names, want) {
		t.Errorf("got %v", names)
	}
}
