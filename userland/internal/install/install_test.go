// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dodeka/userland/internal/blockdevice"
	"dodeka/userland/internal/partition"
	"dodeka/userland/internal/ukifile/testuki"
)

const diskBytes = 400 * mib

func diskFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, diskBytes)); err != nil {
		t.Fatal(err)
	}
	return path
}

// boots checks an installed disk against its source, and opens it for other checks.
func boots(t *testing.T, path string, places Places) *blockdevice.Device {
	t.Helper()
	disk, err := blockdevice.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = disk.Close() })
	_, running := sealed(1)
	from, err := findSource(places, running, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := bootable(disk, from); err != nil {
		t.Error(err)
	}
	return disk
}

func TestRunInstallsOntoAnEmptyDisk(t *testing.T) {
	places, _ := medium(t, 1)
	path := diskFile(t)
	var messages []string
	request := Request{Disk: path, Places: places, Progress: func(m string) { messages = append(messages, m) }}
	if err := Run(context.Background(), request); err != nil {
		t.Fatal(err)
	}
	disk := boots(t, path, places)
	table, _ := partition.Read(disk)
	bios, ok := table.Find("BIOS")
	sector := make([]byte, 512)
	_, _ = disk.ReadAt(sector, 0)
	if !ok || binary.LittleEndian.Uint64(sector[kernelSectorAt:]) != bios.First || !table.Healthy() {
		t.Errorf("BIOS boot: %v, %+v", ok, bios)
	}
	if len(messages) == 0 || messages[len(messages)-1] != "installed" {
		t.Errorf("progress: %v", messages)
	}
}

func TestRunRefuses(t *testing.T) {
	data := func(at int64, text string) func(*testing.T, string, *Request) {
		return func(t *testing.T, path string, _ *Request) {
			file, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = file.WriteAt([]byte(text), at)
			_ = file.Close()
		}
	}
	onMedium := func(name, content string) func(*testing.T, string, *Request) {
		return func(t *testing.T, _ string, r *Request) {
			matches, _ := filepath.Glob(filepath.Join(r.Places.Medium, name))
			if len(matches) != 1 || os.WriteFile(matches[0], []byte(content), 0o600) != nil {
				t.Fatal(name)
			}
		}
	}
	tests := []struct {
		name   string
		change func(t *testing.T, path string, r *Request)
		want   string
	}{
		{"a file system", data(0, "XFSB"), "holds data"},
		{"a backup table", data(diskBytes-512, "EFI PART"), "gpt"},
		{"unknown data", data(4000, "secret"), "nothing that is known"},
		{"a damaged root image", onMedium("dodeka/*.root", strings.Repeat("x", 8192)), "root hash does not match"},
		{"a UKI of another image", onMedium("EFI/Linux/*.efi", string(testuki.Make("other"))), "not what was booted"},
		{"a UKI that is none", onMedium("EFI/Linux/*.efi", "x"), "no PE file"},
		{"a medium without loader", func(_ *testing.T, _ string, r *Request) {
			_ = os.Remove(filepath.Join(r.Places.Medium, "loader/loader.conf"))
		}, "lacks"},
		{"a disk that is too small", func(_ *testing.T, path string, _ *Request) { _ = os.Truncate(path, 20*mib) }, "no room"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			places, _ := medium(t, 1)
			path := diskFile(t)
			request := Request{Disk: path, Places: places}
			tc.change(t, path, &request)
			before := digest(t, path)
			err := Run(context.Background(), request)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v", err)
			}
			if digest(t, path) != before {
				t.Error("the disk was changed")
			}
		})
	}
}

func digest(t *testing.T, path string) string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	hash := sha256.New()
	for _, at := range []int64{0, diskBytes - 2*mib} { // what lies between is holes
		_, _ = io.Copy(hash, io.NewSectionReader(file, at, 2*mib))
	}
	return string(hash.Sum(nil))
}

func TestWipeReplacesData(t *testing.T) {
	places, _ := medium(t, 1)
	path := diskFile(t)
	for range 2 { // the second time onto a disk that was installed to
		if err := Run(context.Background(), Request{Disk: path, Wipe: true, Places: places}); err != nil {
			t.Fatal(err)
		}
	}
	boots(t, path, places)
}
