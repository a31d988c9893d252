// SPDX-License-Identifier: Apache-2.0

// Package disks knows the machine's disks: what they are, what they hold, which one is meant by a selector, and which
// one the system lives on. It reads sysfs and the first kilobytes of each disk; it changes nothing.
// Spec: Linux Documentation/ABI/stable/sysfs-block.
package disks

import (
	"cmp"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"dodeka/userland/internal/sysfs"
)

// Disk is a whole disk, stick or drive.
type Disk struct {
	Name       string // "sda"
	DevPath    string // "/dev/sda"
	Number     string // "8:0", as mount tables name it
	Size       uint64 // bytes; 0 for a drive without a medium
	SectorSize uint
	IOSize     uint
	ReadOnly   bool
	CDROM      bool
	Rotational bool
	Removable  bool
	Model      string
	Serial     string
	WWID       string
	UUID       string
	Modalias   string
	BusPath    string
	SubSystem  string
	Transport  string // "virtio", "nvme", "sata", "usb", "sas", "iscsi", "mmc", "scsi"; empty when unknown
	Symlinks   []string
	Partitions []Partition
}

// Partition is one that the kernel knows.
type Partition struct {
	Name    string // "sda1"
	DevPath string
	Number  string // "8:1"
	Index   int    // from 1
	Label   string // of the partition, not of the file system
	Offset  uint64 // bytes
	Size    uint64 // bytes
}

// List reads the disks below a sysfs root ("/sys"), in the order of their names (sda before sdb before sdaa). Disks of
// memory, loop devices, floppies and what the kernel stacks on others are left out.
func List(sys string) ([]Disk, error) {
	tree := os.DirFS(sys)
	entries, err := fs.ReadDir(tree, "class/block")
	if err != nil {
		return nil, err
	}
	var found []Disk
	for _, entry := range entries {
		if disk, ok := readDisk(tree, sys, entry.Name()); ok {
			found = append(found, disk)
		}
	}
	slices.SortFunc(found, func(a, b Disk) int {
		return cmp.Or(cmp.Compare(len(a.Name), len(b.Name)), cmp.Compare(a.Name, b.Name))
	})
	return found, nil
}

// Partition returns the one with a label; two of a name are none.
func (d Disk) Partition(label string) (Partition, bool) {
	var found []Partition
	for _, p := range d.Partitions {
		if p.Label == label {
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		return Partition{}, false
	}
	return found[0], true
}

func readDisk(tree fs.FS, sys, name string) (Disk, bool) {
	dir := path.Join("class/block", name)
	text := func(file string) string { return sysfs.ReadText(tree, path.Join(dir, file)) }
	number := func(file string) uint64 { n, _ := strconv.ParseUint(text(file), 10, 64); return n }
	if isStacked(name) || text("partition") != "" || text("hidden") == "1" {
		return Disk{}, false
	}
	d := Disk{
		Name: name, DevPath: "/dev/" + name, Number: text("dev"), Size: number("size") * 512,
		SectorSize: uint(max(512, number("queue/logical_block_size"))),
		ReadOnly:   text("ro") == "1", Rotational: text("queue/rotational") == "1", Removable: text("removable") == "1",
		CDROM: strings.HasPrefix(name, "sr"), UUID: strings.ToLower(text("uuid")),
		Model:    cmp.Or(text("device/model"), text("device/name")),
		Serial:   cmp.Or(text("serial"), text("device/serial"), vitalSerial(tree, path.Join(dir, "device/vpd_pg80"))),
		WWID:     cmp.Or(text("wwid"), text("device/wwid")),
		Modalias: text("device/modalias"), BusPath: busPath(sys, name), SubSystem: subsystem(sys, dir),
	}
	d.IOSize = uint(cmp.Or(number("queue/optimal_io_size"), number("queue/minimum_io_size"), uint64(d.SectorSize)))
	if d.Size == 0 && !d.CDROM {
		return Disk{}, false
	}
	d.Transport = transport(name, d.BusPath)
	d.Symlinks = stableNames(d)
	d.Partitions = partitions(tree, dir)
	return d, true
}

func partitions(tree fs.FS, dir string) []Partition {
	var found []Partition
	entries, _ := fs.ReadDir(tree, dir)
	for _, entry := range entries {
		text := func(file string) string { return sysfs.ReadText(tree, path.Join(dir, entry.Name(), file)) }
		number := func(file string) uint64 { n, _ := strconv.ParseUint(text(file), 10, 64); return n }
		if index := int(number("partition")); index > 0 {
			found = append(found, Partition{
				Name: entry.Name(), DevPath: "/dev/" + entry.Name(), Number: text("dev"), Index: index,
				Label: ueventValue(text("uevent"), "PARTNAME"), Offset: number("start") * 512, Size: number("size") * 512,
			})
		}
	}
	slices.SortFunc(found, func(a, b Partition) int { return cmp.Compare(a.Index, b.Index) })
	return found
}

func ueventValue(text, key string) string {
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\n"), "="); ok && name == key {
			return value
		}
	}
	return ""
}

// vitalSerial reads the unit serial number page of SCSI and ATA disks: 4 bytes of header, then text.
func vitalSerial(tree fs.FS, file string) string {
	page, err := fs.ReadFile(tree, file)
	if err != nil || len(page) < 4 {
		return ""
	}
	return strings.Trim(string(page[4:]), " \x00\t")
}

// busPath is the device's place below /sys/devices, without "/block/sda".
func busPath(sys, name string) string {
	full, err := filepath.EvalSymlinks(filepath.Join(sys, "class/block", name))
	if err != nil {
		return ""
	}
	root, err := filepath.EvalSymlinks(sys)
	if err != nil {
		return ""
	}
	place := strings.TrimPrefix(full, filepath.Join(root, "devices"))
	place, _, _ = strings.Cut(place, "/block/")
	return place
}

func subsystem(sys, dir string) string {
	link, err := os.Readlink(filepath.Join(sys, dir, "subsystem"))
	if err != nil {
		return ""
	}
	if at := strings.LastIndex(link, "../"); at >= 0 {
		return "/sys/" + link[at+3:]
	}
	return link
}

// transport follows from the buses that the path names; the most specific one counts.
func transport(name, place string) string {
	for _, row := range []struct{ part, transport string }{
		{"/usb", "usb"}, {"/nvme", "nvme"}, {"/mmc", "mmc"}, {"/session", "iscsi"}, {"/end_device-", "sas"},
		{"/ata", "sata"}, {"/virtio", "virtio"}, {"/vbd-", "xen"}, {"/host", "scsi"},
	} {
		if strings.Contains(place, row.part) {
			return row.transport
		}
	}
	if strings.HasPrefix(name, "nvme") {
		return "nvme" // shared by several paths, so below no bus
	}
	return ""
}

func isStacked(name string) bool {
	for _, prefix := range []string{"loop", "ram", "zram", "dm-", "md", "nbd", "fd"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
