// SPDX-License-Identifier: Apache-2.0

package fat32

import (
	"encoding/binary"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"
)

const (
	entryBytes   = 32
	shortBytes   = 11 // 8 of the name, 3 of the extension
	longUnits    = 13 // UTF-16 units in one entry of a long name
	maxNameUnits = 255
	attrDir      = 0x10
	attrArchive  = 0x20
	attrLabel    = 0x08
	attrLongName = 0x0f
	lastLongName = 0x40
)

var plainShort = regexp.MustCompile(`^[A-Z0-9_-]{1,8}(\.[A-Z0-9_-]{1,3})?$`)

// nameEntries is everything of a directory entry but the last 21 bytes of its short part: long name entries, if any,
// and the 11 bytes of the short name.
func nameEntries(name string, taken map[string]bool) (long []byte, short string, err error) {
	units := utf16.Encode([]rune(name))
	if name == "" || len(units) > maxNameUnits || strings.ContainsAny(name, "\"*/:<>?\\|\x00") || strings.TrimRight(name, ". ") != name {
		return nil, "", fmt.Errorf("FAT cannot name a file %q", name)
	}
	if plainShort.MatchString(name) {
		short = padShort(name)
		if taken[short] {
			return nil, "", fmt.Errorf("%q is there twice", name)
		}
		taken[short] = true
		return nil, short, nil
	}
	short = uniqueShort(name, taken)
	taken[short] = true
	return longName(units, sumOf(short)), short, nil
}

// uniqueShort makes "DODEKA~1.EFI" of "dodeka_1.0.0.efi".
func uniqueShort(name string, taken map[string]bool) string {
	base, extension := name, ""
	if at := strings.LastIndex(name, "."); at > 0 {
		base, extension = name[:at], name[at+1:]
	}
	base, extension = shortLetters(base), shortLetters(extension)
	for n := 1; ; n++ {
		tail := fmt.Sprintf("~%d", n)
		short := padShort(base[:min(len(base), 8-len(tail))] + tail + "." + extension[:min(len(extension), 3)])
		if !taken[short] {
			return short
		}
	}
}

func shortLetters(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
			return r
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r == '.' || r == ' ':
			return -1
		}
		return '_'
	}, text)
}

func padShort(name string) string {
	base, extension, _ := strings.Cut(name, ".")
	return fmt.Sprintf("%-8s%-3s", base, extension)
}

// longName returns the entries in the order of the disk: the last piece first.
func longName(units []uint16, sum byte) []byte {
	pieces := (len(units) + longUnits - 1) / longUnits
	padded := make([]uint16, pieces*longUnits)
	for i := range padded {
		padded[i] = 0xffff
	}
	copy(padded, units)
	if len(units) < len(padded) {
		padded[len(units)] = 0
	}
	out := make([]byte, pieces*entryBytes)
	for i := range pieces {
		e := out[(pieces-1-i)*entryBytes:]
		e[0] = byte(i + 1)
		if i == pieces-1 {
			e[0] |= lastLongName
		}
		e[11], e[13] = attrLongName, sum
		for k, unit := range padded[i*longUnits : (i+1)*longUnits] {
			at := 1 + 2*k // 5 units at 1, 6 at 14, 2 at 28
			switch {
			case k >= 11:
				at = 28 + 2*(k-11)
			case k >= 5:
				at = 14 + 2*(k-5)
			}
			binary.LittleEndian.PutUint16(e[at:], unit)
		}
	}
	return out
}

func sumOf(short string) byte {
	var sum byte
	for i := range shortBytes {
		sum = sum>>1 | sum<<7
		sum += short[i]
	}
	return sum
}
