// SPDX-License-Identifier: Apache-2.0

// Package partition reads, changes and writes GUID partition tables, and tells the kernel about changes.
// Spec: UEFI 2.10, section 5.3 (header: table 5.5, entry: table 5.6) and 5.2.3 (protective MBR).
// A table is hostile input: sizes are bounded, and one with overlapping or outlying partitions is refused as a whole.
// Left out: tables with entries other than 128 bytes or more than 128 of them (no tool makes them unasked).
package partition

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"unicode/utf16"
)

const (
	entryBytes = 128
	maxEntries = 128
	arrayBytes = entryBytes * maxEntries
	nameUnits  = 36
	alignment  = 1 << 20 // bytes; where new partitions start
)

// ErrNoTable is the verdict on a disk without a GPT.
var ErrNoTable = errors.New("no GUID partition table")

// Partition is one entry. LBAs are inclusive.
type Partition struct {
	Number      int // from 1
	Type, ID    GUID
	First, Last uint64
	Attributes  uint64
	Name        string
}

// Table is a valid table: its partitions are inside the usable range and do not overlap.
type Table struct {
	DiskID      GUID
	SectorBytes int64
	FirstUsable uint64
	LastUsable  uint64
	Partitions  []Partition // in order of their numbers

	entries    int    // in the array on disk
	backupLBA  uint64 // where the backup header lies, or will
	primaryBad bool   // the backup was read in its place
	backupBad  bool
}

// New is an empty table for a disk of that many bytes.
func New(diskID GUID, diskBytes, sectorBytes int64) (*Table, error) {
	t := &Table{DiskID: diskID, SectorBytes: sectorBytes, entries: maxEntries, primaryBad: true, backupBad: true}
	if sectorBytes != 512 && sectorBytes != 4096 {
		return nil, fmt.Errorf("sectors of %d bytes are not supported", sectorBytes)
	}
	t.FirstUsable = 2 + t.arraySectors()
	return t, t.fit(diskBytes)
}

// Offset and Bytes of a partition on the disk.
func (t *Table) Offset(p Partition) int64 { return int64(p.First) * t.SectorBytes }

// Bytes is the length of a partition.
func (t *Table) Bytes(p Partition) int64 { return int64(p.Last-p.First+1) * t.SectorBytes }

// Find returns the partition with a name. Two of the same name are none: nobody could say which is meant.
func (t *Table) Find(name string) (Partition, bool) {
	var found []Partition
	for _, p := range t.Partitions {
		if p.Name == name {
			found = append(found, p)
		}
	}
	if len(found) != 1 {
		return Partition{}, false
	}
	return found[0], true
}

// Healthy is false when one of the two copies is damaged; Write repairs it.
func (t *Table) Healthy() bool { return !t.primaryBad && !t.backupBad }

// Range is free space, LBAs inclusive.
type Range struct{ First, Last uint64 }

// Free lists the gaps that start at a whole MiB, in order; each is at least a MiB.
func (t *Table) Free() []Range {
	align := uint64(alignment / t.SectorBytes)
	var gaps []Range
	next := t.FirstUsable
	add := func(end uint64) { // exclusive
		first := (next + align - 1) / align * align
		if end >= first+align {
			gaps = append(gaps, Range{first, end - 1})
		}
	}
	for _, p := range t.sorted() {
		add(p.First)
		next = p.Last + 1
	}
	add(t.LastUsable + 1)
	return gaps
}

// Add puts a partition into the first gap that holds it; 0 bytes takes the whole of the largest gap.
func (t *Table) Add(name string, kind GUID, bytes int64) (Partition, error) {
	number := t.freeNumber()
	if number == 0 {
		return Partition{}, errors.New("the partition table is full")
	}
	gap, ok := t.gapFor(bytes)
	if !ok {
		return Partition{}, fmt.Errorf("no room for partition %s of %d bytes", name, bytes)
	}
	p := Partition{Number: number, Type: kind, ID: NewGUID(), First: gap.First, Last: gap.Last, Name: name}
	if bytes > 0 {
		p.Last = p.First + uint64((bytes+t.SectorBytes-1)/t.SectorBytes) - 1
	}
	t.Partitions = append(t.Partitions, p)
	slices.SortFunc(t.Partitions, func(a, b Partition) int { return cmp.Compare(a.Number, b.Number) })
	return p, t.check()
}

func (t *Table) gapFor(bytes int64) (Range, bool) {
	gaps := t.Free()
	if bytes == 0 {
		if len(gaps) == 0 {
			return Range{}, false
		}
		return slices.MaxFunc(gaps, func(a, b Range) int { return cmp.Compare(a.Last-a.First, b.Last-b.First) }), true
	}
	for _, gap := range gaps {
		if int64(gap.Last-gap.First+1)*t.SectorBytes >= bytes {
			return gap, true
		}
	}
	return Range{}, false
}

// Grow lets a partition take the free space behind it, in whole MiB. It tells whether there was any.
func (t *Table) Grow(number int) bool {
	for i, p := range t.Partitions {
		if p.Number != number {
			continue
		}
		end := t.LastUsable + 1
		for _, other := range t.Partitions {
			if other.First > p.Last {
				end = min(end, other.First)
			}
		}
		if align := uint64(alignment / t.SectorBytes); end >= p.Last+1+align {
			t.Partitions[i].Last = end - 1
			return true
		}
	}
	return false
}

// Remove takes partitions off the table by number.
func (t *Table) Remove(number int) {
	t.Partitions = slices.DeleteFunc(t.Partitions, func(p Partition) bool { return p.Number == number })
}

func (t *Table) freeNumber() int {
	for number := 1; number <= t.entries; number++ {
		if !slices.ContainsFunc(t.Partitions, func(p Partition) bool { return p.Number == number }) {
			return number
		}
	}
	return 0
}

// fit puts the backup at the end of a disk, which may have grown since the table was written.
func (t *Table) fit(diskBytes int64) error {
	sectors := uint64(diskBytes / t.SectorBytes)
	if sectors < t.FirstUsable+t.arraySectors()+2 {
		return fmt.Errorf("a disk of %d bytes is too small for a partition table", diskBytes)
	}
	t.backupLBA = sectors - 1
	t.FirstUsable = max(t.FirstUsable, 2+t.arraySectors()) // one for few entries may leave less room than ours take
	t.LastUsable = t.backupLBA - t.arraySectors() - 1
	return t.check()
}

func (t *Table) check() error {
	var end uint64
	for _, p := range t.sorted() {
		switch {
		case p.First < t.FirstUsable || p.Last < p.First || p.Last > t.LastUsable:
			return fmt.Errorf("partition %d (%d to %d) is outside of the usable sectors %d to %d", p.Number, p.First, p.Last, t.FirstUsable, t.LastUsable)
		case p.First < end:
			return fmt.Errorf("partition %d starts inside its neighbour", p.Number)
		case len(utf16.Encode([]rune(p.Name))) > nameUnits:
			return fmt.Errorf("partition name %q is over %d units", p.Name, nameUnits)
		}
		end = p.Last + 1
	}
	return nil
}

func (t *Table) sorted() []Partition {
	return slices.SortedFunc(slices.Values(t.Partitions), func(a, b Partition) int { return cmp.Compare(a.First, b.First) })
}

func (t *Table) arraySectors() uint64 { return uint64(arrayBytes / t.SectorBytes) }
