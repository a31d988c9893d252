// SPDX-License-Identifier: Apache-2.0

// Package ext4 makes file systems from a template that the factory ships, and lets the kernel grow them.
// Spec: Linux Documentation/filesystems/ext4/globals.rst (superblock), fs/ext4/ioctl.c (EXT4_IOC_RESIZE_FS).
// Left out: making one from nothing, which is why the template exists; anything but blocks of 4096 bytes.
package ext4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"golang.org/x/sys/unix"
)

const (
	blockBytes       = 4096
	superblockOffset = 1024
	superblockBytes  = 1024

	// Offsets in the superblock.
	blocksLowAt      = 0x04
	logBlockSizeAt   = 0x18 // block size is 1024 << this
	blocksPerGroupAt = 0x20
	magicAt          = 0x38
	incompatAt       = 0x60
	roCompatAt       = 0x64
	uuidAt           = 0x68
	labelAt          = 0x78 // 16 bytes
	hashSeedAt       = 0xec // 16 bytes, of the directories' hash
	blocksHighAt     = 0x150
	checksumAt       = 0x3fc

	magic              = 0xef53
	incompat64Bit      = 0x80
	incompatCsumSeed   = 0x2000
	roCompatMetaCsum   = 0x400
	labelBytes         = 16
	largestLogOfBlocks = 6 // 64 KiB
)

// ErrNone is the verdict on storage without an ext file system.
var ErrNone = errors.New("no ext4 superblock")

// Superblock is what is worth knowing of one.
type Superblock struct {
	UUID       [16]byte
	Label      string
	BlockBytes int64
	Blocks     uint64
	// ChecksumOK is true as well for a file system without checksums.
	ChecksumOK bool
}

// Bytes is the length of the file system.
func (s Superblock) Bytes() int64 { return int64(s.Blocks) * s.BlockBytes }

// ReadSuperblock reads the primary one. ErrNone when the magic is not there.
func ReadSuperblock(from io.ReaderAt) (Superblock, error) {
	raw := make([]byte, superblockBytes)
	if _, err := from.ReadAt(raw, superblockOffset); err != nil {
		return Superblock{}, err
	}
	return parseSuperblock(raw)
}

func parseSuperblock(raw []byte) (Superblock, error) {
	le := binary.LittleEndian
	if le.Uint16(raw[magicAt:]) != magic {
		return Superblock{}, ErrNone
	}
	log := le.Uint32(raw[logBlockSizeAt:])
	if log > largestLogOfBlocks {
		return Superblock{}, fmt.Errorf("ext4 block size of 1024 << %d", log)
	}
	s := Superblock{BlockBytes: 1024 << log, Blocks: uint64(le.Uint32(raw[blocksLowAt:])), Label: unix.ByteSliceToString(raw[labelAt:][:labelBytes]), ChecksumOK: true}
	if le.Uint32(raw[incompatAt:])&incompat64Bit != 0 {
		s.Blocks |= uint64(le.Uint32(raw[blocksHighAt:])) << 32
	}
	if s.Blocks > uint64(math.MaxInt64/s.BlockBytes) {
		return Superblock{}, fmt.Errorf("ext4 of %d blocks of %d bytes", s.Blocks, s.BlockBytes)
	}
	copy(s.UUID[:], raw[uuidAt:])
	if le.Uint32(raw[roCompatAt:])&roCompatMetaCsum != 0 {
		s.ChecksumOK = checksum(raw) == le.Uint32(raw[checksumAt:])
	}
	return s, nil
}

// checksum is crc32c without the final inversion, as the kernel computes it.
func checksum(raw []byte) uint32 {
	return ^crc32.Checksum(raw[:checksumAt], crc32.MakeTable(crc32.Castagnoli))
}

// identify gives a copy of the superblock another identity. Only with the feature metadata_csum_seed do the checksums
// of everything else stay right.
func identify(raw []byte, id Identity) error {
	le := binary.LittleEndian
	if le.Uint16(raw[magicAt:]) != magic || le.Uint32(raw[incompatAt:])&incompatCsumSeed == 0 || le.Uint32(raw[roCompatAt:])&roCompatMetaCsum == 0 {
		return errors.New("the template is not an ext4 with metadata_csum and metadata_csum_seed")
	}
	if len(id.Label) > labelBytes {
		return fmt.Errorf("label %q is over %d bytes", id.Label, labelBytes)
	}
	copy(raw[uuidAt:uuidAt+16], id.UUID[:])
	copy(raw[hashSeedAt:hashSeedAt+16], id.HashSeed[:])
	clear(raw[labelAt : labelAt+labelBytes])
	copy(raw[labelAt:], id.Label)
	le.PutUint32(raw[checksumAt:], checksum(raw))
	return nil
}
