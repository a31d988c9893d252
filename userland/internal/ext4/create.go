// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/blockdevice"
)

const (
	chunkBytes = 1 << 20
	tailBytes  = 1 << 20                     // where other formats keep signatures, such as a backup GPT
	resizeFS   = 1<<30 | 8<<16 | 'f'<<8 | 16 // EXT4_IOC_RESIZE_FS: _IOW('f', 16, __u64), in blocks
)

// Identity is what differs between two file systems made of one template.
type Identity struct {
	UUID, HashSeed [16]byte
	Label          string // at most 16 bytes
}

// NewIdentity is random but for the label. The hash seed must not be known to whoever names files.
func NewIdentity(label string) Identity {
	id := Identity{Label: label}
	_, _ = rand.Read(id.UUID[:]) // never fails (Go 1.24)
	_, _ = rand.Read(id.HashSeed[:])
	id.UUID[6] = id.UUID[6]&0x0f | 0x40
	id.UUID[8] = id.UUID[8]&0x3f | 0x80
	return id
}

// Create writes the template. The block with the superblock comes last: after a power cut there is either no file system
// or a whole one. What the storage held before is lost.
func Create(storage blockdevice.Storage, template io.ReaderAt, id Identity) error {
	first := make([]byte, blockBytes)
	if _, err := template.ReadAt(first, 0); err != nil {
		return fmt.Errorf("template: %w", err)
	}
	super, err := parseSuperblock(first[superblockOffset:][:superblockBytes])
	if err != nil {
		return fmt.Errorf("template: %w", err)
	}
	if super.BlockBytes != blockBytes || super.Bytes() > storage.Size() {
		return fmt.Errorf("a template of %d bytes in blocks of %d does not fit on %d bytes", super.Bytes(), super.BlockBytes, storage.Size())
	}
	if err := clearOld(storage, super.Bytes()); err != nil {
		return err
	}
	perGroup := int64(binary.LittleEndian.Uint32(first[superblockOffset+blocksPerGroupAt:])) * blockBytes
	writer := &templateWriter{to: storage, from: template, length: super.Bytes(), perGroup: perGroup, id: id}
	if err := writer.copyRest(); err != nil {
		return err
	}
	if err := storage.Sync(); err != nil {
		return err
	}
	if err := identify(first[superblockOffset:][:superblockBytes], id); err != nil {
		return err
	}
	if _, err := storage.WriteAt(first, 0); err != nil {
		return err
	}
	return storage.Sync()
}

// clearOld removes the old superblock first, and flushes, so that old and new content are never taken for one.
func clearOld(storage blockdevice.Storage, length int64) error {
	if err := storage.Zero(0, blockBytes); err != nil {
		return err
	}
	if err := storage.Sync(); err != nil {
		return err
	}
	if err := storage.Zero(blockBytes, length-blockBytes); err != nil {
		return err
	}
	tail := max(length, storage.Size()-tailBytes)
	return storage.Zero(tail, storage.Size()-tail)
}

type templateWriter struct {
	to               blockdevice.Storage
	from             io.ReaderAt
	length, perGroup int64
	id               Identity
}

// copyRest writes every block that is not zeros, but for the first.
func (w *templateWriter) copyRest() error {
	chunk := make([]byte, chunkBytes)
	for at := int64(0); at < w.length; at += chunkBytes {
		n := min(chunkBytes, w.length-at)
		if _, err := w.from.ReadAt(chunk[:n], at); err != nil {
			return fmt.Errorf("template at %d: %w", at, err)
		}
		for in := int64(0); in < n; in += blockBytes {
			if err := w.writeBlock(chunk[in:in+blockBytes], at+in); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *templateWriter) writeBlock(block []byte, at int64) error {
	if at == 0 || isZero(block) {
		return nil
	}
	if w.perGroup > 0 && at%w.perGroup == 0 && binary.LittleEndian.Uint16(block[magicAt:]) == magic {
		if err := identify(block[:superblockBytes], w.id); err != nil { // a backup, in the first 1024 bytes of its group
			return err
		}
	}
	_, err := w.to.WriteAt(block, at)
	return err
}

func isZero(block []byte) bool {
	for _, b := range block {
		if b != 0 {
			return false
		}
	}
	return true
}

// Grow lets the kernel extend the file system that is mounted at dir to a number of bytes. It is journalled: a power cut
// leaves a size in between, and the next call continues. Growing to the size it has does nothing.
func Grow(dir string, bytes int64) error {
	mounted, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer mounted.Close()
	blocks := uint64(bytes / blockBytes)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, mounted.Fd(), resizeFS, uintptr(unsafe.Pointer(&blocks)))
	if errno != 0 {
		return fmt.Errorf("grow %s to %d blocks: %w", dir, blocks, error(errno))
	}
	return nil
}

// Blank tells whether Create was never finished on the storage: its first block is zeros, as Create leaves it.
func Blank(storage io.ReaderAt) (bool, error) {
	first := make([]byte, blockBytes)
	if _, err := storage.ReadAt(first, 0); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return isZero(first), nil
}
