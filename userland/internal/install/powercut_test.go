// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"errors"
	"testing"

	"dodeka/userland/internal/blockdevice"
	"dodeka/userland/internal/fat32"
	"dodeka/userland/internal/partition"
	"dodeka/userland/internal/probe"
)

// bootable checks a disk as firmware and stage1 would: sector 0, table, ESP, root hash.
func bootable(disk blockdevice.Storage, from source) error {
	sector := make([]byte, 512)
	if _, err := disk.ReadAt(sector, 0); err != nil {
		return err
	}
	if sector[510] != 0x55 || sector[450] != 0xee {
		return errors.New("blank")
	}
	table, err := partition.Read(disk)
	if err != nil {
		return err
	}
	esp, found := table.Find("EFI")
	if _, meta := table.Find("META"); !found || !meta {
		return errors.New("partitions are missing")
	}
	// The same files on a disk of the same size lie at the same places.
	again := blockdevice.NewRecorder(table.Bytes(esp), disk.SectorBytes())
	places, err := fat32.Write(context.Background(), again, fat32.Options{Label: espLabel}, from.files)
	if err != nil {
		return err
	}
	return verify(context.Background(), disk, &layout{table: table, esp: esp}, from, places)
}

func TestEveryPowerCutLeavesTheOldABlankOrTheNewDisk(t *testing.T) {
	older, newer := sourceOf(t, 1), sourceOf(t, 2)
	start := blockdevice.NewRecorder(diskBytes, 512)
	if _, err := write(context.Background(), start, older, func(string) {}); err != nil {
		t.Fatal(err)
	}
	start = start.Clone()
	disk := start.Clone()
	if _, err := write(context.Background(), disk, newer, func(string) {}); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for n := range disk.Writes() + 1 {
		for _, torn := range []int64{0, 512} {
			cut := disk.CutAfter(start, n, torn)
			oldErr, newErr := bootable(cut, older), bootable(cut, newer)
			switch {
			case newErr == nil:
				counts["new"]++
			case oldErr == nil:
				counts["old"]++
			case newErr.Error() == "blank":
				counts["blank"]++
			default:
				t.Fatalf("after %d of %d writes and %d bytes: %v; %v", n, disk.Writes(), torn, oldErr, newErr)
			}
		}
	}
	if counts["old"] == 0 || counts["blank"] == 0 || counts["new"] == 0 {
		t.Errorf("states: %v", counts)
	}
}

func TestACutInstallationNeedsNoLeaveToWipe(t *testing.T) {
	from := sourceOf(t, 1)
	start := blockdevice.NewRecorder(diskBytes, 512)
	disk := start.Clone()
	if _, err := write(context.Background(), disk, from, func(string) {}); err != nil {
		t.Fatal(err)
	}
	again := 0
	for n := range disk.Writes() + 1 {
		cut := disk.CutAfter(start, n, 0)
		err := refuseData(cut, Request{Disk: "disk"})
		complete := bootable(cut, from) == nil
		if complete == (err == nil) {
			t.Errorf("after %d of %d writes: complete %v, %v", n, disk.Writes(), complete, err)
		}
		if blank, _ := probe.Blank(cut, cut.Size()); err == nil && !blank {
			again++
		}
		if _, err := cut.WriteAt([]byte("XFSB"), 0); err != nil || !errors.Is(refuseData(cut, Request{}), ErrHasData) {
			t.Errorf("after %d writes a file system that came later is not seen: %v", n, err)
		}
	}
	if again == 0 {
		t.Error("no cut left anything behind")
	}
}
