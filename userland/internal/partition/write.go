// SPDX-License-Identifier: Apache-2.0

package partition

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"unicode/utf16"

	"dodeka/userland/internal/blockdevice"
)

// Write puts both copies on the disk, the backup at its very end, also when the disk has grown. The power may fail at
// any time: the kernel uses the backup only when it is told to, so the primary copy must never be invalid in between.
// A sector is written whole or not at all, an array of entries is not. Therefore the entries go to a free place behind
// the old ones first and the header is switched to them by one sector; then the same again back to the usual place.
func (t *Table) Write(disk blockdevice.Storage) error {
	if err := t.fit(disk.Size()); err != nil {
		return err
	}
	array := t.encodeEntries()
	backupArray := t.backupLBA - t.arraySectors()
	if err := t.writeCopy(disk, array, place{own: t.backupLBA, other: 1, array: backupArray}); err != nil {
		return fmt.Errorf("backup table: %w", err)
	}
	if scratch, ok := t.scratch(); ok && !t.primaryBad {
		if err := t.writeCopy(disk, array, place{own: 1, other: t.backupLBA, array: scratch}); err != nil {
			return fmt.Errorf("table: %w", err)
		}
	}
	if err := t.writeCopy(disk, array, place{own: 1, other: t.backupLBA, array: 2}); err != nil {
		return fmt.Errorf("table: %w", err)
	}
	t.primaryBad, t.backupBad = false, false
	return writeProtective(disk)
}

// Erase makes the disk one without a table. Sector 0 goes first, by one write: without the protective MBR firmware and
// kernel take the disk for an empty one, whatever else is still there.
func Erase(disk blockdevice.Storage) error {
	sector := disk.SectorBytes()
	backup := disk.Size()/sector - 1
	for _, lba := range []int64{0, 1, backup} {
		if err := disk.Zero(lba*sector, sector); err != nil {
			return err
		}
		if err := disk.Sync(); err != nil {
			return err
		}
	}
	return nil
}

type place struct{ own, other, array uint64 }

func (t *Table) writeCopy(disk blockdevice.Storage, array []byte, at place) error {
	if _, err := disk.WriteAt(array, int64(at.array)*t.SectorBytes); err != nil {
		return err
	}
	if err := disk.Sync(); err != nil {
		return err
	}
	if _, err := disk.WriteAt(t.encodeHeader(array, at), int64(at.own)*t.SectorBytes); err != nil {
		return err
	}
	return disk.Sync()
}

// scratch is the place behind the usual one, unless a partition lies there.
func (t *Table) scratch() (uint64, bool) {
	at := 2 + t.arraySectors()
	for _, p := range t.Partitions {
		if p.First < at+t.arraySectors() {
			return 0, false
		}
	}
	return at, true
}

func (t *Table) encodeHeader(array []byte, at place) []byte {
	block := make([]byte, t.SectorBytes)
	copy(block, signature)
	le := binary.LittleEndian
	le.PutUint32(block[8:], 0x0001_0000) // revision 1.0
	le.PutUint32(block[12:], headerBytes)
	le.PutUint64(block[24:], at.own)
	le.PutUint64(block[32:], at.other)
	first := t.FirstUsable
	if at.own == 1 {
		first = max(first, at.array+t.arraySectors()) // the entries may not lie in the usable range
	}
	le.PutUint64(block[40:], first)
	le.PutUint64(block[48:], t.LastUsable)
	t.DiskID.put(block[56:])
	le.PutUint64(block[72:], at.array)
	le.PutUint32(block[80:], uint32(t.entries))
	le.PutUint32(block[84:], entryBytes)
	le.PutUint32(block[88:], crc32.ChecksumIEEE(array[:t.entries*entryBytes]))
	le.PutUint32(block[16:], crc32.ChecksumIEEE(block[:headerBytes]))
	return block
}

func (t *Table) encodeEntries() []byte {
	array := make([]byte, arrayBytes)
	le := binary.LittleEndian
	for _, p := range t.Partitions {
		e := array[(p.Number-1)*entryBytes:]
		p.Type.put(e)
		p.ID.put(e[16:])
		le.PutUint64(e[32:], p.First)
		le.PutUint64(e[40:], p.Last)
		le.PutUint64(e[48:], p.Attributes)
		for i, unit := range utf16.Encode([]rune(p.Name)) {
			le.PutUint16(e[56+2*i:], unit)
		}
	}
	return array
}

// writeProtective keeps the boot code and the disk signature of sector 0 (bytes 0 to 445) and writes one record that
// covers the disk. It does nothing when that is there already.
func writeProtective(disk blockdevice.Storage) error {
	sector := make([]byte, 512)
	if _, err := disk.ReadAt(sector, 0); err != nil {
		return err
	}
	old := string(sector)
	clear(sector[446:])
	record := sector[446:]
	copy(record, []byte{0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff})
	guarded := min(disk.Size()/disk.SectorBytes()-1, 0xffff_ffff)
	binary.LittleEndian.PutUint32(record[8:], 1)
	binary.LittleEndian.PutUint32(record[12:], uint32(guarded))
	sector[510], sector[511] = 0x55, 0xaa
	if string(sector) == old {
		return nil
	}
	if _, err := disk.WriteAt(sector, 0); err != nil {
		return err
	}
	return disk.Sync()
}
