// SPDX-License-Identifier: Apache-2.0

package volumes

import (
	"testing"

	"dodeka/userland/internal/blockdevice"
	"dodeka/userland/internal/partition"
)

// shipped is an image as the factory makes it: it ends behind META.
func shipped(t *testing.T) *blockdevice.Recorder {
	t.Helper()
	const size = 68 * mib
	disk := blockdevice.NewRecorder(size, 512)
	table, err := partition.New(partition.NewGUID(), size, 512)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []struct {
		name  string
		kind  partition.GUID
		bytes int64
	}{{"EFI", partition.TypeESP, 64 * mib}, {"BIOS", partition.TypeBIOSBoot, mib}, {"META", partition.TypeLinuxData, mib}} {
		if _, err := table.Add(p.name, p.kind, p.bytes); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Write(disk); err != nil {
		t.Fatal(err)
	}
	return disk
}

func change(t *testing.T, disk blockdevice.Storage, v Volume) *partition.Table {
	t.Helper()
	table, err := changeTable(disk, v)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestFirstBootOnALargerDisk(t *testing.T) {
	disk := shipped(t).Enlarged(8 << 30)
	// What an earlier system left where STATE will be.
	_, _ = disk.WriteAt([]byte("\x53\xef"), 67*mib+1024+0x38)
	change(t, disk, State)
	table := change(t, disk, Ephemeral)
	state, _ := table.Find("STATE")
	ephemeral, _ := table.Find("EPHEMERAL")
	if table.Bytes(state) != 100*mib || state.Number != 4 || ephemeral.Number != 5 || ephemeral.Last != table.LastUsable || !table.Healthy() {
		t.Errorf("STATE %+v, EPHEMERAL %+v, last usable %d", state, ephemeral, table.LastUsable)
	}
	section, _ := blockdevice.NewSection(disk, table.Offset(state), table.Bytes(state))
	magic := make([]byte, 2)
	if _, _ = section.ReadAt(magic, 1024+0x38); magic[0] != 0 {
		t.Error("an old file system came back to life")
	}
	disk.Forget()
	change(t, disk, State)
	change(t, disk, Ephemeral)
	if disk.Writes() != 0 {
		t.Errorf("a second boot wrote %d times", disk.Writes())
	}
}

func TestEphemeralGrowsWithTheDisk(t *testing.T) {
	disk := shipped(t).Enlarged(4 << 30)
	change(t, disk, State)
	change(t, disk, Ephemeral)
	disk = disk.Enlarged(16 << 30)
	change(t, disk, State)
	table := change(t, disk, Ephemeral)
	state, _ := table.Find("STATE")
	ephemeral, _ := table.Find("EPHEMERAL")
	if table.Bytes(state) != 100*mib || ephemeral.Last != table.LastUsable || table.Bytes(ephemeral) < 15<<30 {
		t.Errorf("STATE %d, EPHEMERAL %d bytes", table.Bytes(state), table.Bytes(ephemeral))
	}
}

func TestADiskWithoutRoomIsRefused(t *testing.T) {
	disk := shipped(t)
	disk.Forget()
	if _, err := changeTable(disk, State); err == nil {
		t.Error("STATE was added to a disk without room")
	}
	if disk.Writes() != 0 {
		t.Error("the disk was written to")
	}
}

func TestEveryPowerCutOfTheTableCanBeContinued(t *testing.T) {
	start := shipped(t).Enlarged(4 << 30)
	disk := start.Clone()
	change(t, disk, State)
	change(t, disk, Ephemeral)
	for n := range disk.Writes() + 1 {
		for _, torn := range []int64{0, 512, 2048} {
			cut := disk.CutAfter(start, n, torn)
			change(t, cut, State)
			table := change(t, cut, Ephemeral)
			_, state := table.Find("STATE")
			_, ephemeral := table.Find("EPHEMERAL")
			if esp, found := table.Find("EFI"); !state || !ephemeral || !found || esp.First != 2048 || len(table.Partitions) != 5 {
				t.Fatalf("after %d writes and %d bytes: %+v", n, torn, table.Partitions)
			}
		}
	}
}
