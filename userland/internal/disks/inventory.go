// SPDX-License-Identifier: Apache-2.0

package disks

import (
	"os"

	"dodeka/userland/internal/blockdevice"
	"dodeka/userland/internal/partition"
	"dodeka/userland/internal/probe"
)

// Inventory is everything about the disks at one moment.
type Inventory struct {
	Disks   []Disk
	Boot    string // name of the disk that was booted from; empty: none
	System  string // name of the disk that the system is installed on; empty: none
	Volumes []Volume
	Mounted map[string]string // device number ("8:1") -> mount point
}

// Volume is what a disk or partition holds.
type Volume struct {
	Disk      Disk
	Partition *Partition // nil: the whole disk
	Entry     *partition.Partition
	Found     probe.Finding // without a name: nothing known
}

// Take reads sysfs below sys and /proc/self/mountinfo below proc, and probes the devices unless probing is refused.
func Take(sys, proc string, probing bool) (Inventory, error) {
	all, err := List(sys)
	if err != nil {
		return Inventory{}, err
	}
	text, err := os.ReadFile(proc + "/self/mountinfo")
	if err != nil {
		return Inventory{}, err
	}
	tables := make([]*partition.Table, len(all))
	for i, d := range all {
		tables[i] = readTable(d)
		setLabels(d, tables[i])
	}
	inventory := Inventory{Disks: all, Mounted: mountPoints(string(text))}
	if boot, ok := Boot(all, string(text)); ok {
		inventory.Boot = boot.Name
	}
	if system, ok := System(all, inventory.Boot); ok {
		inventory.System = system.Name
	}
	if probing {
		for i, d := range all {
			inventory.Volumes = append(inventory.Volumes, volumesOf(d, tables[i])...)
		}
	}
	return inventory, nil
}

// Disk returns the one with a name.
func (i Inventory) Disk(name string) (Disk, bool) {
	for _, d := range i.Disks {
		if d.Name == name && name != "" {
			return d, true
		}
	}
	return Disk{}, false
}

// readTable returns nil for a disk that has none, or cannot be read.
func readTable(d Disk) *partition.Table {
	if d.CDROM || len(d.Partitions) == 0 {
		return nil
	}
	device, err := blockdevice.Open(d.DevPath)
	if err != nil {
		return nil
	}
	defer device.Close()
	table, _ := partition.Read(device)
	return table
}

// setLabels takes them from the table on the disk: the kernel does not know the names of partitions that were announced
// to it one by one, as those made since the boot.
func setLabels(d Disk, table *partition.Table) {
	for i, p := range d.Partitions {
		if entry := entryOf(table, p); entry != nil {
			d.Partitions[i].Label = entry.Name
		}
	}
}

// entryOf returns what the table says of a partition that the kernel knows, or nil when they disagree.
func entryOf(table *partition.Table, p Partition) *partition.Partition {
	if table == nil {
		return nil
	}
	for _, entry := range table.Partitions {
		if entry.Number == p.Index && uint64(table.Offset(entry)) == p.Offset {
			return &entry
		}
	}
	return nil
}

// volumesOf leaves out devices that cannot be read: a drive without a medium, a disk that fails.
func volumesOf(d Disk, table *partition.Table) []Volume {
	device, err := blockdevice.Open(d.DevPath)
	if err != nil {
		return nil
	}
	defer device.Close()
	volumes := []Volume{{Disk: d, Found: first(device)}}
	for _, p := range d.Partitions {
		v := Volume{Disk: d, Partition: &p, Entry: entryOf(table, p)}
		if opened, err := blockdevice.Open(p.DevPath); err == nil {
			v.Found = first(opened)
			_ = opened.Close()
		}
		volumes = append(volumes, v)
	}
	return volumes
}

func first(device *blockdevice.Device) probe.Finding {
	found, err := probe.Identify(device, device.Size())
	if err != nil || len(found) == 0 {
		return probe.Finding{}
	}
	return found[0]
}
