// SPDX-License-Identifier: Apache-2.0

package fat32

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dodeka/userland/internal/blockdevice"
)

func file(path, text string) File {
	return File{Path: path, Size: int64(len(text)), Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}

var options = Options{ID: 0x12345678, Label: "DODEKA", HiddenSectors: 2048, Time: time.Date(2026, 11, 22, 10, 20, 30, 0, time.UTC)}

func TestForeignToolsReadTheVolume(t *testing.T) {
	for _, size := range []int64{40 << 20, 512 << 20} {
		path := filepath.Join(t.TempDir(), "esp")
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, size)); err != nil {
			t.Fatal(err)
		}
		storage, err := blockdevice.OpenWritable(path)
		if err != nil {
			t.Fatal(err)
		}
		defer storage.Close()
		contents := map[string]string{
			"EFI/BOOT/BOOTX64.EFI": strings.Repeat("boot", 40_000), "EFI/systemd/systemd-bootx64.efi": "x", "loader/loader.conf": "timeout 0\n",
			"EFI/Linux/dodeka_1.0.0.efi": strings.Repeat("u", 5_000_000), "empty": "", "dodeka/" + strings.Repeat("ab", 32) + ".root": "root",
		}
		var files []File
		for name, text := range contents {
			files = append(files, file(name, text))
		}
		places, err := Write(context.Background(), storage, options, files)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range places {
			got := make([]byte, p.Size)
			if _, err := storage.ReadAt(got, p.Offset); err != nil || string(got) != contents[p.Path] {
				t.Errorf("%s is not at %d", p.Path, p.Offset)
			}
		}
		t.Run(fmt.Sprintf("fsck.fat %d", size), func(t *testing.T) { fsck(t, path) })
		t.Run(fmt.Sprintf("mtools %d", size), func(t *testing.T) { mtype(t, path, contents) })
	}
}

func fsck(t *testing.T, path string) {
	if out, err := exec.Command("fsck.fat", "-nv", path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func mtype(t *testing.T, path string, contents map[string]string) {
	for name, want := range contents {
		out, err := exec.Command("mtype", "-i", path, "::"+name).Output()
		if err != nil || string(out) != want {
			t.Errorf("%s: %d bytes, %v", name, len(out), err)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	failing := File{Path: "a", Size: 1, Open: func() (io.ReadCloser, error) { return nil, os.ErrPermission }}
	short := file("a", "abc")
	short.Size = 4
	big := file("a", "")
	big.Size = 1 << 33
	tests := []struct {
		name  string
		size  int64
		files []File
	}{
		{"a volume too small for FAT32", 30 << 20, nil},
		{"a volume too small for the files", 40 << 20, []File{{Path: "a", Size: 50 << 20}}},
		{"a file over 4 GiB", 1 << 40, []File{big}},
		{"two of a name", 64 << 20, []File{file("A/b", ""), file("a/B", "")}},
		{"a file and a directory", 64 << 20, []File{file("a", ""), file("a/b", "")}},
		{"an impossible name", 64 << 20, []File{file("a:b", "")}},
		{"a file that cannot be opened", 64 << 20, []File{failing}},
		{"a file that is shorter than it says", 64 << 20, []File{short}},
	}
	for _, tc := range tests {
		disk := blockdevice.NewRecorder(tc.size, 512)
		if _, err := Write(context.Background(), disk, options, tc.files); err == nil {
			t.Errorf("%s was written", tc.name)
		}
		sector := make([]byte, 512)
		_, _ = disk.ReadAt(sector, 0)
		if !bytes.Equal(sector, make([]byte, 512)) {
			t.Errorf("%s left a boot sector", tc.name)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Write(ctx, blockdevice.NewRecorder(64<<20, 512), options, []File{file("a", "b")}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestLeastBytesHolds(t *testing.T) {
	for _, sector := range []int64{512, 4096} {
		for _, content := range []int64{0, 5 << 20} {
			disk := blockdevice.NewRecorder(LeastBytes(content, sector)/sector*sector, sector)
			f := File{Path: "f", Size: content, Open: func() (io.ReadCloser, error) { return io.NopCloser(zeros{}), nil }}
			if _, err := Write(context.Background(), disk, options, []File{f}); err != nil {
				t.Errorf("%d bytes on sectors of %d: %v", content, sector, err)
			}
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestShortNamesAreUnique(t *testing.T) {
	taken := map[string]bool{}
	for _, name := range []string{"dodeka_1.0.0.efi", "dodeka_1.0.1.efi", "dodeka_2.efi"} {
		_, short, err := nameEntries(name, taken)
		if err != nil || !strings.HasPrefix(short, "DODEKA~") || !strings.HasSuffix(short, "EFI") {
			t.Errorf("%s became %q, %v", name, short, err)
		}
	}
	if len(taken) != 3 {
		t.Errorf("%d names of 3", len(taken))
	}
}

// FuzzNameEntries takes what a medium may call a file, beside another one of that name and one without a long name.
func FuzzNameEntries(f *testing.F) {
	f.Add("dodeka_1.0.0.efi")
	f.Add(".\xff.")
	f.Fuzz(func(t *testing.T, name string) {
		taken := map[string]bool{padShort("A.B"): true}
		for range 12 {
			before := len(taken)
			long, short, err := nameEntries(name, taken)
			if err != nil {
				return
			}
			if len(short) != shortBytes || len(long)%entryBytes != 0 || len(taken) != before+1 || short[0] == ' ' {
				t.Fatalf("%q became %q and %d bytes", name, short, len(long))
			}
		}
	})
}
