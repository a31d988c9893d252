// SPDX-License-Identifier: Apache-2.0

// Package sysfs reads what hardware the kernel has found, as plain files below /sys.
// Spec: Linux Documentation/admin-guide/sysfs-rules.rst.
package sysfs

import (
	"cmp"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Modaliases returns the aliases of all devices on all buses, of input devices (which have no bus), of the processors and
// of the board, sorted, each once. /sys/bus lists every device that has a bus, in a tenth of the directories of
// /sys/devices.
func Modaliases(sys fs.FS) []string {
	files, _ := fs.Glob(sys, "bus/*/devices/*/modalias")
	inputs, _ := fs.Glob(sys, "class/input/*/modalias")
	files = append(append(files, inputs...), "devices/system/cpu/modalias", "class/dmi/id/modalias")
	var found []string
	for _, file := range files {
		if alias := ReadText(sys, file); alias != "" {
			found = append(found, alias)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// Block is a block device that could hold a file system.
type Block struct {
	Name    string // as below /dev
	Sectors uint64 // of 512 bytes, whatever the device's own sector size
	Serial  string // changes when the medium changes
}

// Blocks returns disks, partitions and drives in the order of their names (sda2 before sda10), without memory disks,
// floppy drives (reading one takes seconds) and what the kernel builds on top of others.
func Blocks(sys fs.FS) []Block {
	var found []Block
	entries, _ := fs.ReadDir(sys, "class/block")
	for _, entry := range entries {
		name := entry.Name()
		if isStacked(name) {
			continue
		}
		dir := path.Join("class/block", name)
		sectors, err := strconv.ParseUint(ReadText(sys, path.Join(dir, "size")), 10, 64)
		if err != nil {
			continue
		}
		found = append(found, Block{Name: name, Sectors: sectors, Serial: ReadText(sys, path.Join(dir, "diskseq"))})
	}
	slices.SortFunc(found, func(a, b Block) int {
		return cmp.Or(cmp.Compare(len(a.Name), len(b.Name)), cmp.Compare(a.Name, b.Name))
	})
	return found
}

// Ethernets returns the names of the network interfaces that are hardware (or a hypervisor's idea of it), sorted.
func Ethernets(sys fs.FS) []string {
	const ethernet = "1" // ARPHRD_ETHER
	var found []string
	entries, _ := fs.ReadDir(sys, "class/net")
	for _, entry := range entries {
		dir := path.Join("class/net", entry.Name())
		if ReadText(sys, path.Join(dir, "type")) == ethernet && exists(sys, path.Join(dir, "device")) &&
			!exists(sys, path.Join(dir, "phy80211")) {
			found = append(found, entry.Name())
		}
	}
	slices.Sort(found)
	return found
}

// ReadText reads a one-line attribute without its newline; one that cannot be read is empty.
func ReadText(sys fs.FS, name string) string {
	text, err := fs.ReadFile(sys, name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func isStacked(name string) bool {
	for _, prefix := range []string{"loop", "ram", "zram", "dm-", "nbd", "fd"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func exists(sys fs.FS, name string) bool {
	_, err := fs.Stat(sys, name)
	return err == nil
}
