// SPDX-License-Identifier: Apache-2.0

package media

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// image makes a device of the given length with texts at byte offsets.
func image(length int, at map[int]string) io.ReaderAt {
	b := make([]byte, length)
	for offset, text := range at {
		copy(b[offset:], text)
	}
	return bytes.NewReader(b)
}

func TestIdentify(t *testing.T) {
	fat := map[int]string{82: "FAT32   ", 510: "\x55\xaa"}
	tests := []struct {
		name   string
		device io.ReaderAt
		want   string
		err    error
	}{
		{"FAT32", image(1<<20, fat), "vfat", nil},
		{"ISO 9660", image(1<<20, map[int]string{0x8001: "CD001"}), "iso9660", nil},
		{"hybrid ISO with a partition table", image(1<<20, map[int]string{510: "\x55\xaa", 0x8001: "CD001"}), "iso9660", nil},
		{"FAT32 without signature", image(1<<20, map[int]string{82: "FAT32   "}), "", ErrOther},
		{"FAT16", image(1<<20, map[int]string{54: "FAT16   ", 510: "\x55\xaa"}), "", ErrOther},
		{"other", image(1<<20, nil), "", ErrOther},
		{"smaller than a volume descriptor", image(1024, nil), "", ErrOther},
		{"empty", image(0, nil), "", io.EOF},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, err := Identify(tc.device)
			if got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestOpenBelow(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret")
	for path, text := range map[string]string{filepath.Join(dir, "dodeka/a.root"): "x", outside: "y"} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "dodeka/b.root")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(dir, "dodeka/pipe.root"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := OpenBelow(dir, "dodeka/a.root")
	if err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	if _, err := OpenBelow(dir, "dodeka/c.root"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	for _, path := range []string{"dodeka/b.root", "dodeka/pipe.root", "dodeka", "../secret"} {
		if file, err := OpenBelow(dir, path); err == nil {
			t.Errorf("%s was opened as %s", path, file.Name())
		}
	}
}

func FuzzIdentify(f *testing.F) {
	f.Add([]byte("FAT32   "))
	f.Fuzz(func(t *testing.T, data []byte) {
		if kind, err := Identify(bytes.NewReader(data)); (kind == "") != (err != nil) {
			t.Fatalf("kind %q with error %v", kind, err)
		}
	})
}
