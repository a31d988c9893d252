// SPDX-License-Identifier: Apache-2.0

package reset

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dodeka/userland/internal/blockdevice"
	"dodeka/userland/internal/disks"
	"dodeka/userland/internal/metastore"
	"dodeka/userland/internal/partition"
)

// machine is a system disk as an image file with everything on it, META beside it, and a user disk.
type machine struct {
	dir     string
	table   *partition.Table
	request Request
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{dir: t.TempDir()}
	for name, size := range map[string]int64{"sda": 400 * mib, "sdb": 8 * mib, "meta": mib} {
		path := filepath.Join(m.dir, name)
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, size)); err != nil {
			t.Fatal(err)
		}
	}
	disk := m.open(t, "sda")
	defer disk.Close()
	var err error
	if m.table, err = partition.New(partition.NewGUID(), disk.Size(), 512); err != nil {
		t.Fatal(err)
	}
	for name, size := range map[string]int64{"EFI": 64 * mib, "META": mib, "STATE": 100 * mib, "EPHEMERAL": 200 * mib} {
		p, err := m.table.Add(name, partition.TypeLinuxData, size)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []int64{0, size / 2, size - 512} {
			if _, err := disk.WriteAt(bytes.Repeat([]byte(name[:1]), 512), m.table.Offset(p)+at); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := m.table.Write(disk); err != nil {
		t.Fatal(err)
	}
	user := m.open(t, "sdb")
	_, _ = user.WriteAt([]byte("data"), 0)
	_ = user.Close()
	m.request = Request{
		SystemDisk: filepath.Join(m.dir, "sda"), Dev: m.dir,
		ListDisks: func() ([]disks.Disk, error) {
			return []disks.Disk{
				{Name: "sda", DevPath: filepath.Join(m.dir, "sda"), Size: 400 * mib},
				{Name: "sdb", DevPath: "/dev/sdb", Size: 8 * mib, Symlinks: []string{"/dev/disk/by-id/ata-B_1"}},
			}, nil
		},
	}
	m.request.Meta = m.meta(t)
	return m
}

func (m *machine) open(t *testing.T, name string) *blockdevice.Device {
	t.Helper()
	device, err := blockdevice.OpenWritable(filepath.Join(m.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return device
}

func (m *machine) meta(t *testing.T) *metastore.Store {
	t.Helper()
	store, err := metastore.Open(filepath.Join(m.dir, "meta"))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// holds tells whether a partition still has anything at its start, middle and end.
func (m *machine) holds(t *testing.T, name string) bool {
	t.Helper()
	disk := m.open(t, "sda")
	defer disk.Close()
	p, _ := m.table.Find(name)
	size := m.table.Bytes(p)
	for _, at := range []int64{0, size / 2, size - 512} {
		got := make([]byte, 512)
		if _, err := disk.ReadAt(got, m.table.Offset(p)+at); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, make([]byte, 512)) {
			return true
		}
	}
	return false
}

func (m *machine) userDiskHolds(t *testing.T) bool {
	t.Helper()
	got := make([]byte, 4)
	disk := m.open(t, "sdb")
	defer disk.Close()
	_, _ = disk.ReadAt(got, 0)
	return string(got) == "data"
}

func TestRunWipesWhatWasAskedFor(t *testing.T) {
	tests := []struct {
		name                         string
		request                      Request
		efi, meta, state, eph, user  bool // what is left
		tableGone, resetIsInProgress bool
	}{
		{name: "STATE", request: Request{Partitions: []string{"STATE"}}, efi: true, meta: true, eph: true, user: true},
		{name: "EPHEMERAL", request: Request{Partitions: []string{"EPHEMERAL"}}, efi: true, meta: true, state: true, user: true},
		{name: "all three", request: Request{Partitions: []string{"META", "EPHEMERAL", "STATE"}}, efi: true, user: true, resetIsInProgress: true},
		{name: "user disk", request: Request{Disks: []string{"/dev/sdb"}}, efi: true, meta: true, state: true, eph: true},
		{name: "user disk by id", request: Request{Disks: []string{"/dev/disk/by-id/ata-B_1"}}, efi: true, meta: true, state: true, eph: true},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			m := newMachine(t)
			r := m.request
			r.Partitions, r.Disks = tc.request.Partitions, tc.request.Disks
			if err := Run(context.Background(), r); err != nil {
				t.Fatal(err)
			}
			got := []bool{m.holds(t, "EFI"), m.holds(t, "META"), m.holds(t, "STATE"), m.holds(t, "EPHEMERAL"), m.userDiskHolds(t)}
			want := []bool{tc.efi, tc.meta, tc.state, tc.eph, tc.user}
			for i, name := range []string{"EFI", "META", "STATE", "EPHEMERAL", "user disk"} {
				if got[i] != want[i] {
					t.Errorf("%s is left: %v, want %v", name, got[i], want[i])
				}
			}
			// META is a file of its own here, so wiping the partition leaves the plan; on a machine it goes along.
			if _, ok := m.meta(t).Get(metastore.ResetInProgress); ok != tc.resetIsInProgress {
				t.Errorf("the plan is left: %v", ok)
			}
			disk := m.open(t, "sda")
			defer disk.Close()
			if table, err := partition.Read(disk); err != nil || len(table.Partitions) != 4 {
				t.Errorf("partition table: %v", err)
			}
		})
	}
}

func TestWholeDisk(t *testing.T) {
	m := newMachine(t)
	r := m.request
	r.WholeDisk = true
	if err := Run(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	disk := m.open(t, "sda")
	defer disk.Close()
	if _, err := partition.Read(disk); !errors.Is(err, partition.ErrNoTable) {
		t.Errorf("partition table: %v", err)
	}
	if m.holds(t, "STATE") {
		t.Error("STATE is left")
	}
}

func TestEveryPowerCutOfAWholeDiskResetBootsOrIsBlank(t *testing.T) {
	start := blockdevice.NewRecorder(400*mib, 512)
	table, _ := partition.New(partition.NewGUID(), start.Size(), 512)
	for _, name := range []string{"EFI", "META", "STATE"} {
		p, err := table.Add(name, partition.TypeLinuxData, 100*mib)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = start.WriteAt([]byte(name), table.Offset(p))
	}
	if err := table.Write(start); err != nil {
		t.Fatal(err)
	}
	start = start.Clone()
	disk := start.Clone()
	if err := wipeWhole(disk); err != nil {
		t.Fatal(err)
	}
	for n := range disk.Writes() + 1 {
		cut := disk.CutAfter(start, n, 0)
		sector, esp := make([]byte, 512), make([]byte, 3)
		_, _ = cut.ReadAt(sector, 0)
		p, _ := table.Find("EFI")
		_, _ = cut.ReadAt(esp, table.Offset(p))
		_, err := partition.Read(cut)
		if boots := err == nil && string(esp) == "EFI"; sector[510] == 0x55 && !boots {
			t.Errorf("after %d writes firmware tries a disk that cannot boot", n)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	tests := []struct {
		name    string
		request func(r *Request)
		want    string
	}{
		{"nothing", func(*Request) {}, "nothing to wipe"},
		{"the ESP alone", func(r *Request) { r.Partitions = []string{"EFI"} }, "cannot be wiped"},
		{"the system disk as a user disk", func(r *Request) { r.Disks = []string{r.SystemDisk} }, "is the system disk"},
		{"a disk that is not there", func(r *Request) { r.Disks = []string{"/dev/sdz"} }, "no disk fits"},
		{"a machine without system disk", func(r *Request) { r.SystemDisk, r.WholeDisk = "", true }, "no system disk"},
	}
	for _, tc := range tests {
		m := newMachine(t)
		r := m.request
		tc.request(&r)
		if err := Run(context.Background(), r); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
		if _, ok := m.meta(t).Get(metastore.ResetInProgress); ok || !m.holds(t, "STATE") {
			t.Errorf("%s: something was begun", tc.name)
		}
	}
}
