// SPDX-License-Identifier: Apache-2.0

// Package probe tells what a disk or partition holds, by the signatures of partition tables, file systems, encryption
// and volume managers. Names are those of libblkid and Talos.
// The content is hostile: every read is bounded, nothing is followed.
package probe

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// Finding is one signature.
type Finding struct {
	Name       string // "gpt", "vfat", "ext4", "luks", …
	Label      string
	UUID       string
	BlockBytes uint32
	Bytes      uint64 // of the file system, where its superblock says it; else 0
}

const (
	headBytes  = 160 << 10 // btrfs at 64 KiB, ZFS at 128 KiB
	blankBytes = 1 << 20
	raidFromTo = 64 << 10 // the last 64 KiB hold RAID and backup GPT signatures
)

// Identify returns every signature, in the order of the table below; none for blank or unknown content. An error means
// that the medium could not be read.
func Identify(from io.ReaderAt, size int64) ([]Finding, error) {
	head, err := readUpTo(from, 0, min(headBytes, size))
	if err != nil {
		return nil, err
	}
	tailAt := max(0, size-raidFromTo)
	tail, err := readUpTo(from, tailAt, size-tailAt)
	if err != nil {
		return nil, err
	}
	var found []Finding
	for _, p := range probers {
		if f, ok := p(area{head, tail}); ok {
			f.Label = printable(f.Label)
			found = append(found, f)
		}
	}
	return found, nil
}

// Blank tells whether the first and last MiB hold nothing: zeros, or ones as erased flash reads.
func Blank(from io.ReaderAt, size int64) (bool, error) {
	for _, at := range []int64{0, max(0, size-blankBytes)} {
		part, err := readUpTo(from, at, min(blankBytes, size-at))
		if err != nil {
			return false, err
		}
		if len(bytes.Trim(part, "\x00")) > 0 && len(bytes.Trim(part, "\xff")) > 0 {
			return false, nil
		}
	}
	return true, nil
}

// Describe is a list for people: "gpt, ext4 \"STATE\"".
func Describe(findings []Finding) string {
	var words []string
	for _, f := range findings {
		word := f.Name
		if f.Label != "" {
			word += fmt.Sprintf(" %q", f.Label)
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

func readUpTo(from io.ReaderAt, at, length int64) ([]byte, error) {
	buffer := make([]byte, max(0, length))
	n, err := from.ReadAt(buffer, at)
	if err != nil && err != io.EOF {
		return nil, err
	}
	return buffer[:n], nil
}

// area is the beginning and the end of a device.
type area struct{ head, tail []byte }

// at returns length bytes from an offset, zeros where the device ends before.
func (a area) at(offset, length int) []byte {
	if offset+length <= len(a.head) {
		return a.head[offset : offset+length]
	}
	return make([]byte, length)
}

func (a area) has(offset int, magic string) bool { return string(a.at(offset, len(magic))) == magic }

func (a area) le16(offset int) uint16 { return binary.LittleEndian.Uint16(a.at(offset, 2)) }
func (a area) le32(offset int) uint32 { return binary.LittleEndian.Uint32(a.at(offset, 4)) }
func (a area) le64(offset int) uint64 { return binary.LittleEndian.Uint64(a.at(offset, 8)) }
func (a area) be32(offset int) uint32 { return binary.BigEndian.Uint32(a.at(offset, 4)) }
func (a area) be64(offset int) uint64 { return binary.BigEndian.Uint64(a.at(offset, 8)) }

func (a area) text(offset, length int) string {
	field, _, _ := bytes.Cut(a.at(offset, length), []byte{0})
	return strings.TrimSpace(string(field))
}

func (a area) uuid(offset int) string {
	b := a.at(offset, 16)
	if len(bytes.Trim(b, "\x00")) == 0 {
		return ""
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// printable drops what would disturb a terminal: labels are written by whoever made the medium.
func printable(label string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0xfffd {
			return -1
		}
		return r
	}, label)
}
