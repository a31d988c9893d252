// SPDX-License-Identifier: Apache-2.0

package partition

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"unicode/utf16"

	"dodeka/userland/internal/blockdevice"
)

const headerBytes = 92

var signature = []byte("EFI PART")

// header holds the fields that a reader needs.
type header struct {
	own, other, firstUsable, lastUsable, arrayLBA uint64
	diskID                                        GUID
	entries                                       int
	arrayCRC                                      uint32
}

// Read takes the primary copy, or the backup when that is damaged. ErrNoTable means that neither copy has left a trace;
// another error means that there is a table which cannot be trusted.
func Read(disk blockdevice.Storage) (*Table, error) {
	sectors := uint64(disk.Size() / disk.SectorBytes())
	if sectors < 4 {
		return nil, ErrNoTable
	}
	primary, primaryErr := readCopy(disk, 1)
	backupAt := sectors - 1
	if primaryErr == nil {
		backupAt = primary.backupLBA
	}
	backup, backupErr := readCopy(disk, backupAt)
	switch {
	case primaryErr == nil:
		primary.backupBad = backupErr != nil || primary.backupLBA != sectors-1 || backup.DiskID != primary.DiskID
		return primary, nil
	case backupErr == nil:
		backup.primaryBad, backup.backupLBA = true, sectors-1
		return backup, nil
	case errors.Is(primaryErr, ErrNoTable) && errors.Is(backupErr, ErrNoTable):
		return nil, ErrNoTable
	default:
		return nil, fmt.Errorf("damaged partition table: %w", errors.Join(primaryErr, backupErr))
	}
}

func readCopy(disk blockdevice.Storage, lba uint64) (*Table, error) {
	sector := disk.SectorBytes()
	sectors := uint64(disk.Size() / sector)
	if lba >= sectors {
		return nil, fmt.Errorf("header at sector %d of %d", lba, sectors)
	}
	block := make([]byte, sector)
	if _, err := disk.ReadAt(block, int64(lba)*sector); err != nil {
		return nil, err
	}
	h, err := parseHeader(block, lba, sectors, uint64(sector))
	if err != nil {
		return nil, err
	}
	array := make([]byte, h.entries*entryBytes)
	if _, err := disk.ReadAt(array, int64(h.arrayLBA)*sector); err != nil {
		return nil, err
	}
	if crc32.ChecksumIEEE(array) != h.arrayCRC {
		return nil, errors.New("wrong checksum of the entries")
	}
	t := &Table{
		DiskID: h.diskID, SectorBytes: sector, FirstUsable: h.firstUsable, LastUsable: h.lastUsable,
		Partitions: parseEntries(array), entries: h.entries, backupLBA: h.other,
	}
	return t, t.check()
}

// parseHeader bounds everything by the disk, so that later arithmetic cannot overflow.
func parseHeader(block []byte, lba, sectors, sectorBytes uint64) (header, error) {
	if string(block[:8]) != string(signature) {
		return header{}, ErrNoTable
	}
	le := binary.LittleEndian
	size := le.Uint32(block[12:])
	if size < headerBytes || uint64(size) > sectorBytes {
		return header{}, fmt.Errorf("header of %d bytes", size)
	}
	covered := append([]byte(nil), block[:size]...)
	le.PutUint32(covered[16:], 0)
	if crc32.ChecksumIEEE(covered) != le.Uint32(block[16:]) {
		return header{}, errors.New("wrong checksum of the header")
	}
	h := header{
		own: le.Uint64(block[24:]), other: le.Uint64(block[32:]),
		firstUsable: le.Uint64(block[40:]), lastUsable: le.Uint64(block[48:]),
		diskID: guidAt(block[56:]), arrayLBA: le.Uint64(block[72:]), arrayCRC: le.Uint32(block[88:]),
	}
	entries, each := le.Uint32(block[80:]), le.Uint32(block[84:])
	switch {
	case h.own != lba:
		return header{}, fmt.Errorf("header at sector %d says it is at %d", lba, h.own)
	case entries == 0 || entries > maxEntries || each != entryBytes:
		return header{}, fmt.Errorf("%d entries of %d bytes", entries, each)
	case h.arrayLBA < 2 || h.arrayLBA >= sectors || sectors-h.arrayLBA < arrayBytes/sectorBytes:
		return header{}, fmt.Errorf("entries at sector %d of %d", h.arrayLBA, sectors)
	case h.other >= sectors || h.firstUsable < 2 || h.lastUsable >= sectors || h.firstUsable > h.lastUsable:
		return header{}, fmt.Errorf("usable sectors %d to %d of %d", h.firstUsable, h.lastUsable, sectors)
	}
	h.entries = int(entries)
	return h, nil
}

func parseEntries(array []byte) []Partition {
	var found []Partition
	le := binary.LittleEndian
	for i := range len(array) / entryBytes {
		e := array[i*entryBytes:]
		if kind := guidAt(e); kind != (GUID{}) {
			found = append(found, Partition{
				Number: i + 1, Type: kind, ID: guidAt(e[16:]),
				First: le.Uint64(e[32:]), Last: le.Uint64(e[40:]), Attributes: le.Uint64(e[48:]), Name: nameAt(e[56:entryBytes]),
			})
		}
	}
	return found
}

func nameAt(field []byte) string {
	var units []uint16
	for i := 0; i < len(field); i += 2 {
		unit := binary.LittleEndian.Uint16(field[i:])
		if unit == 0 {
			break
		}
		units = append(units, unit)
	}
	return string(utf16.Decode(units))
}
