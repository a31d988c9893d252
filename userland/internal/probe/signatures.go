// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"bytes"
	"fmt"
	"math/bits"
)

// probers in the order of their answers: what divides a disk comes before what fills it.
var probers = []func(area) (Finding, bool){
	gpt, dos, luks, lvm, raid, ext, xfs, btrfs, vfat, iso9660, squashfs, erofs, f2fs, exfat, ntfs, swap, zfs, bluestore, talosMeta,
}

func gpt(a area) (Finding, bool) {
	const magic = "EFI PART"
	backup := len(a.tail) >= 512 && bytes.HasPrefix(a.tail[len(a.tail)-512:], []byte(magic)) ||
		len(a.tail) >= 4096 && bytes.HasPrefix(a.tail[len(a.tail)-4096:], []byte(magic))
	return Finding{Name: "gpt"}, a.has(512, magic) || a.has(4096, magic) || backup
}

// dos is an MBR with a partition other than the one that protects a GPT. A FAT boot sector has the same signature.
func dos(a area) (Finding, bool) {
	if !a.has(510, "\x55\xaa") {
		return Finding{}, false
	}
	if _, fat := vfat(a); fat || a.has(3, "NTFS    ") || a.has(3, "EXFAT   ") {
		return Finding{}, false
	}
	used := false
	for record := 446; record < 510; record += 16 {
		status, kind, sectors := a.at(record, 1)[0], a.at(record+4, 1)[0], a.le32(record+12)
		if status&0x7f != 0 {
			return Finding{}, false // code, not records
		}
		used = used || kind != 0 && kind != 0xee && sectors != 0
	}
	return Finding{Name: "dos"}, used
}

func luks(a area) (Finding, bool) {
	f := Finding{Name: "luks", UUID: a.text(168, 40)}
	if a.at(7, 1)[0] == 2 {
		f.Label = a.text(24, 48)
	}
	return f, a.has(0, "LUKS\xba\xbe")
}

func lvm(a area) (Finding, bool) {
	for sector := range 4 {
		if a.has(sector*512, "LABELONE") && a.has(sector*512+24, "LVM2 001") {
			return Finding{Name: "lvm2-pv"}, true
		}
	}
	return Finding{}, false
}

// raid is Linux's own: 1.1 at the start, 1.2 at 4 KiB, 1.0 and 0.90 in the last 64 KiB at multiples of 4 KiB.
func raid(a area) (Finding, bool) {
	const magic = "\xfc\x4e\x2b\xa9"
	for at := 0; at+4 <= len(a.tail); at += 4096 {
		if bytes.HasPrefix(a.tail[at:], []byte(magic)) {
			return Finding{Name: "linux_raid_member"}, true
		}
	}
	return Finding{Name: "linux_raid_member"}, a.has(0, magic) || a.has(4096, magic)
}

func ext(a area) (Finding, bool) {
	const super = 1024
	log := a.le32(super + 0x18)
	if a.le16(super+0x38) != 0xef53 || log > 6 {
		return Finding{}, false
	}
	f := Finding{Name: "ext2", Label: a.text(super+0x78, 16), UUID: a.uuid(super + 0x68), BlockBytes: 1024 << log}
	blocks, incompat := uint64(a.le32(super+4)), a.le32(super+0x60)
	if incompat&0x80 != 0 {
		blocks |= uint64(a.le32(super+0x150)) << 32
	}
	f.Bytes = product(blocks, uint64(f.BlockBytes))
	switch {
	case incompat&^uint32(0x1e) != 0: // any feature beyond ext3's
		f.Name = "ext4"
	case a.le32(super+0x5c)&4 != 0: // has a journal
		f.Name = "ext3"
	}
	return f, true
}

func xfs(a area) (Finding, bool) {
	block := a.be32(4)
	return Finding{Name: "xfs", Label: a.text(108, 12), UUID: a.uuid(32), BlockBytes: block, Bytes: product(a.be64(8), uint64(block))}, a.has(0, "XFSB")
}

func btrfs(a area) (Finding, bool) {
	const super = 0x10000
	return Finding{Name: "btrfs", Label: a.text(super+0x12b, 256), UUID: a.uuid(super + 0x20), BlockBytes: a.le32(super + 0x90), Bytes: a.le64(super + 0x70)},
		a.has(super+0x40, "_BHRfS_M")
}

func vfat(a area) (Finding, bool) {
	sector, cluster := a.le16(11), a.at(13, 1)[0]
	if !a.has(510, "\x55\xaa") || bits.OnesCount16(sector) != 1 || sector < 512 || sector > 4096 || bits.OnesCount8(cluster) != 1 {
		return Finding{}, false
	}
	idAt := 39
	switch {
	case a.has(82, "FAT32   "):
		idAt = 67
	case a.has(54, "FAT"):
	default:
		return Finding{}, false
	}
	sectors := uint64(a.le16(19))
	if sectors == 0 {
		sectors = uint64(a.le32(32))
	}
	label := a.text(idAt+4, 11)
	if label == "NO NAME" {
		label = ""
	}
	id := a.le32(idAt)
	return Finding{
		Name: "vfat", Label: label, UUID: fmt.Sprintf("%04X-%04X", id>>16, id&0xffff),
		BlockBytes: uint32(sector), Bytes: product(sectors, uint64(sector)),
	}, true
}

func iso9660(a area) (Finding, bool) {
	const volume = 0x8000
	return Finding{Name: "iso9660", Label: a.text(volume+40, 32), BlockBytes: 2048, Bytes: uint64(a.le32(volume+80)) * 2048}, a.has(volume+1, "CD001")
}

func squashfs(a area) (Finding, bool) {
	return Finding{Name: "squashfs", BlockBytes: a.le32(12), Bytes: a.le64(40)}, a.has(0, "hsqs")
}

func erofs(a area) (Finding, bool) {
	return Finding{Name: "erofs", UUID: a.uuid(1024 + 48), Label: a.text(1024+64, 16)}, a.has(1024, "\xe2\xe1\xf5\xe0")
}

func f2fs(a area) (Finding, bool) {
	return Finding{Name: "f2fs", UUID: a.uuid(1024 + 108)}, a.has(1024, "\x10\x20\xf5\xf2")
}

func exfat(a area) (Finding, bool) { return Finding{Name: "exfat"}, a.has(3, "EXFAT   ") }

func ntfs(a area) (Finding, bool) { return Finding{Name: "ntfs"}, a.has(3, "NTFS    ") }

func swap(a area) (Finding, bool) {
	return Finding{Name: "swap", UUID: a.uuid(1036), Label: a.text(1052, 16), BlockBytes: 4096}, a.has(4086, "SWAPSPACE2")
}

// zfs has a ring of uberblocks from 128 KiB.
func zfs(a area) (Finding, bool) {
	for at := 128 << 10; at < headBytes; at += 1024 {
		if a.le64(at) == 0x00bab10c || a.be64(at) == 0x00bab10c {
			return Finding{Name: "zfs_member"}, true
		}
	}
	return Finding{}, false
}

func bluestore(a area) (Finding, bool) {
	return Finding{Name: "bluestore"}, a.has(0, "bluestore block device")
}

func talosMeta(a area) (Finding, bool) {
	return Finding{Name: "talosmeta"}, a.has(0, "\x5a\x4b\x3c\x2d")
}

// product is 0 when it does not fit: the numbers are the medium's word only.
func product(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	if high != 0 {
		return 0
	}
	return low
}
