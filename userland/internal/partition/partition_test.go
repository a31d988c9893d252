// SPDX-License-Identifier: Apache-2.0

package partition

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"dodeka/userland/internal/blockdevice"
)

const mib = 1 << 20

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
