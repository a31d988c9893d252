// SPDX-License-Identifier: Apache-2.0

package partition

import (
	"errors"
	"slices"
	"testing"

	"dodeka/userland/internal/blockdevice"
)

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

func TestWriteRefusesAPartitionWhereTheEntriesGo(t *testing.T) {
	disk, table := shipped(t, 256*mib, 512)
	table.FirstUsable, table.Partitions[0].First = 3, 3
	array := table.encodeEntries()
	_ = table.writeCopy(disk, array, place{own: 1, other: table.backupLBA, array: 2}) // its header says 34, so it is refused
	_ = table.writeCopy(disk, array, place{own: table.backupLBA, other: 1, array: table.backupLBA - 32})
	got, err := Read(disk)
	if err != nil || got.FirstUsable != 3 {
		t.Fatalf("the backup: %+v, %v", got, err)
	}
	before := disk.Writes()
	if err := got.Write(disk); err == nil || disk.Writes() != before {
		t.Errorf("%d writes, %v", disk.Writes()-before, err)
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
		table, err := Read(disk)
		if err != nil {
			return
		}
		for _, gap := range table.Free() {
			for _, p := range table.Partitions {
				if gap.First <= p.Last && p.First <= gap.Last {
					t.Fatalf("free from %d to %d, yet %+v lies there", gap.First, gap.Last, p)
				}
			}
		}
		if err := table.Write(disk); err != nil {
			return
		}
		again, err := Read(disk)
		if err != nil || !again.Healthy() || !slices.Equal(again.Partitions, table.Partitions) {
			t.Fatalf("what was written is read as %+v, %v", again, err)
		}
	})
}
