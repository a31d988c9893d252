// SPDX-License-Identifier: Apache-2.0

package partition

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"dodeka/userland/internal/blockdevice"
)

const mib = 1 << 20

func TestGUID(t *testing.T) {
	const text = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
	g, err := ParseGUID("C12A7328-F81F-11D2-BA4B-00A0C93EC93B")
	if err != nil || g.String() != text {
		t.Fatalf("%s, %v", g, err)
	}
	disk := make([]byte, 16)
	g.put(disk)
	if want := []byte{0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b}; !bytes.Equal(disk[:10], want) {
		t.Errorf("on disk % x", disk)
	}
	if guidAt(disk) != g {
		t.Error("does not survive the disk")
	}
	for _, bad := range []string{"", text[1:], text + "0", "x12a7328-f81f-11d2-ba4b-00a0c93ec93b"} {
		if _, err := ParseGUID(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// shipped is a disk as the factory makes it: ESP, BIOS boot, META.
func shipped(t *testing.T, size, sector int64) (*blockdevice.Recorder, *Table) {
	t.Helper()
	disk := blockdevice.NewRecorder(size, sector)
	table, err := New(NewGUID(), size, sector)
	if err != nil {
		t.Fatal(err)
	}
	add(t, table, "EFI", TypeESP, 64*mib)
	add(t, table, "BIOS", TypeBIOSBoot, mib)
	add(t, table, "META", TypeLinuxData, mib)
	if err := table.Write(disk); err != nil {
		t.Fatal(err)
	}
	return disk, table
}

func add(t *testing.T, table *Table, name string, kind GUID, bytes int64) Partition {
	t.Helper()
	p, err := table.Add(name, kind, bytes)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustRead(t *testing.T, disk blockdevice.Storage) *Table {
	t.Helper()
	table, err := Read(disk)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestWriteAndRead(t *testing.T) {
	for _, sector := range []int64{512, 4096} {
		disk, table := shipped(t, 1<<30, sector)
		state := add(t, table, "STATE", TypeLinuxData, 100*mib)
		rest := add(t, table, "EPHEMERAL", TypeLinuxData, 0)
		if err := table.Write(disk); err != nil {
			t.Fatal(err)
		}
		got := mustRead(t, disk)
		if !got.Healthy() || !slices.Equal(got.Partitions, table.Partitions) {
			t.Errorf("sector %d: healthy %v, %+v", sector, got.Healthy(), got.Partitions)
		}
		if table.Offset(state)%mib != 0 || table.Bytes(state) != 100*mib || rest.Last != table.LastUsable {
			t.Errorf("sector %d: STATE at %d with %d, EPHEMERAL ends at %d of %d", sector, table.Offset(state), table.Bytes(state), rest.Last, table.LastUsable)
		}
		if _, err := table.Add("MORE", TypeLinuxData, mib); err == nil {
			t.Error("a partition was added where no room is")
		}
	}
}

func TestGrowOntoALargerDisk(t *testing.T) {
	small, _ := shipped(t, 256*mib, 512)
	disk := small.Enlarged(1 << 40)
	table := mustRead(t, disk)
	if table.Healthy() {
		t.Error("the backup is in the middle of the disk, yet the table says it is healthy")
	}
	if err := table.Write(disk); err != nil {
		t.Fatal(err)
	}
	table = mustRead(t, disk)
	if !table.Healthy() || table.backupLBA != 1<<40/512-1 {
		t.Errorf("healthy %v, backup at %d", table.Healthy(), table.backupLBA)
	}
	p := add(t, table, "EPHEMERAL", TypeLinuxData, mib)
	if !table.Grow(p.Number) || table.Grow(p.Number) {
		t.Error("grows once, to the end")
	}
	if p, _ = table.Find("EPHEMERAL"); p.Last != table.LastUsable {
		t.Errorf("ends at %d of %d", p.Last, table.LastUsable)
	}
	if first, _ := table.Find("META"); table.Grow(first.Number) {
		t.Error("META grew into its neighbour")
	}
}

func TestEveryPowerCutLeavesAValidPrimaryTable(t *testing.T) {
	small, _ := shipped(t, 256*mib, 512)
	start := small.Enlarged(1 << 30)
	before := mustRead(t, start)
	disk := start.Clone()
	table := mustRead(t, disk)
	add(t, table, "STATE", TypeLinuxData, 100*mib)
	add(t, table, "EPHEMERAL", TypeLinuxData, 0)
	if err := table.Write(disk); err != nil {
		t.Fatal(err)
	}
	for n := range disk.Writes() + 1 {
		for _, torn := range []int64{0, 512, 1024, 8192} {
			cut := disk.CutAfter(start, n, torn)
			got, err := readCopy(cut, 1)
			if err != nil {
				t.Fatalf("after %d writes and %d bytes: %v", n, torn, err)
			}
			if !slices.Equal(got.Partitions, before.Partitions) && !slices.Equal(got.Partitions, table.Partitions) {
				t.Fatalf("after %d writes and %d bytes: neither the old nor the new partitions", n, torn)
			}
		}
	}
	if got := mustRead(t, disk); got.FirstUsable != before.FirstUsable {
		t.Errorf("first usable sector %d, was %d", got.FirstUsable, before.FirstUsable)
	}
}

func TestReadRecoversFromDamage(t *testing.T) {
	tests := []struct {
		name    string
		damage  []int64 // byte offsets
		healthy bool
		err     bool
		none    bool
	}{
		{name: "none", healthy: true},
		{name: "primary header", damage: []int64{512 + 56}},
		{name: "primary entries", damage: []int64{1024 + 40}},
		{name: "backup header", damage: []int64{256*mib - 512 + 56}},
		{name: "backup entries", damage: []int64{256*mib - 33*512 + 40}},
		{name: "both headers", damage: []int64{512 + 56, 256*mib - 512 + 56}, err: true},
		{name: "both signatures", damage: []int64{512, 256*mib - 512}, err: true, none: true},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			disk, want := shipped(t, 256*mib, 512)
			for _, at := range tc.damage {
				var old [1]byte
				_, _ = disk.ReadAt(old[:], at)
				_, _ = disk.WriteAt([]byte{^old[0]}, at)
			}
			got, err := Read(disk)
			if (err != nil) != tc.err || errors.Is(err, ErrNoTable) != tc.none {
				t.Fatalf("got %v", err)
			}
			if err != nil {
				return
			}
			if got.Healthy() != tc.healthy || !slices.Equal(got.Partitions, want.Partitions) {
				t.Errorf("healthy %v, %+v", got.Healthy(), got.Partitions)
			}
			if err := got.Write(disk); err != nil || !mustRead(t, disk).Healthy() {
				t.Errorf("not repaired: %v", err)
			}
		})
	}
}

func TestReadRefusesOverlapsAndOutliers(t *testing.T) {
	tests := []struct {
		name string
		edit func(*Table)
	}{
		{"overlap", func(t *Table) { t.Partitions[1].First = t.Partitions[0].Last }},
		{"past the end", func(t *Table) { t.Partitions[2].Last = 1 << 50 }},
		{"backwards", func(t *Table) { t.Partitions[2].Last = t.Partitions[2].First - 1 }},
		{"in the entries", func(t *Table) { t.Partitions[0].First = 3 }},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			disk, table := shipped(t, 256*mib, 512)
			tc.edit(table)
			array := table.encodeEntries()
			_ = table.writeCopy(disk, array, place{own: 1, other: table.backupLBA, array: 2})
			_ = table.writeCopy(disk, array, place{own: table.backupLBA, other: 1, array: table.backupLBA - 32})
			if _, err := Read(disk); err == nil || errors.Is(err, ErrNoTable) {
				t.Errorf("got %v", err)
			}
			if err := table.Write(disk); err == nil {
				t.Error("written")
			}
		})
	}
}

func TestErase(t *testing.T) {
	disk, _ := shipped(t, 256*mib, 512)
	if err := Erase(disk); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(disk); !errors.Is(err, ErrNoTable) {
		t.Errorf("got %v", err)
	}
}

func TestWriteKeepsBootCode(t *testing.T) {
	disk, table := shipped(t, 256*mib, 512)
	code := bytes.Repeat([]byte{0x90}, 446)
	_, _ = disk.WriteAt(code, 0)
	if err := table.Write(disk); err != nil {
		t.Fatal(err)
	}
	sector := make([]byte, 512)
	_, _ = disk.ReadAt(sector, 0)
	if !bytes.Equal(sector[:446], code) || sector[450] != 0xee || sector[511] != 0xaa {
		t.Errorf("sector 0 ends % x", sector[440:])
	}
}

func TestFindWantsOne(t *testing.T) {
	table := &Table{Partitions: []Partition{{Name: "A"}, {Name: "B"}, {Name: "B"}}}
	if _, ok := table.Find("A"); !ok {
		t.Error("A was not found")
	}
	if _, ok := table.Find("B"); ok {
		t.Error("one of two was taken")
	}
}

func TestDeviceName(t *testing.T) {
	for disk, want := range map[string]string{"sda": "sda3", "nvme0n1": "nvme0n1p3", "mmcblk0": "mmcblk0p3", "vdb": "vdb3"} {
		if got := DeviceName(disk, 3); got != want {
			t.Errorf("%s: %s", disk, got)
		}
	}
}

func TestKernelPartitions(t *testing.T) {
	sys := fstest.MapFS{}
	for name, text := range map[string]string{
		"sda/size": "99", "sda/sda1/partition": "1\n", "sda/sda1/start": "2048\n", "sda/sda1/size": "8\n", "sda/queue/size": "7",
	} {
		sys["class/block/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	got := kernelPartitions(sys, "sda")
	if len(got) != 1 || got[1] != (known{2048, 8}) {
		t.Errorf("got %v", got)
	}
}

func TestForeignToolsAcceptTheTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1<<30); err != nil {
		t.Fatal(err)
	}
	disk, err := blockdevice.OpenWritable(path)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	table, _ := New(NewGUID(), disk.Size(), disk.SectorBytes())
	add(t, table, "EFI", TypeESP, 64*mib)
	add(t, table, "EPHEMERAL", TypeLinuxData, 0)
	if err := table.Write(disk); err != nil {
		t.Fatal(err)
	}
	for _, argv := range [][]string{{"sgdisk", "-v", path}, {"sfdisk", "--verify", path}} {
		t.Run(argv[0], func(t *testing.T) {
			if _, err := exec.LookPath(argv[0]); err != nil {
				t.Skipf("%s is missing", argv[0])
			}
			out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
			if err != nil || !(bytes.Contains(out, []byte("No problems found")) || bytes.Contains(out, []byte("No errors detected"))) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	table, _ := New(NewGUID(), mib, 512)
	disk := blockdevice.NewRecorder(mib, 512)
	_ = table.Write(disk)
	seed := make([]byte, 34*512)
	_, _ = disk.ReadAt(seed, 0)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		disk := blockdevice.NewRecorder(mib, 512)
		_, _ = disk.WriteAt(data[:min(len(data), mib)], 0)
		if table, err := Read(disk); err == nil {
			table.Free()
			_ = table.Write(disk)
		}
	})
}
