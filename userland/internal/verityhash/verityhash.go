// SPDX-License-Identifier: Apache-2.0

// Package verityhash computes the dm-verity root hash of an image that is read once from front to back.
// Spec: Linux Documentation/admin-guide/device-mapper/verity.rst; SHA-256, blocks of 4096 bytes, no salt.
package verityhash

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

const (
	blockBytes = 4096
	maxBlocks  = 1 << 22 // 16 GiB of data: about 128 MiB of leaves are held in memory at most
)

// ErrMismatch is the verdict on an image that is not the one with the root hash.
var ErrMismatch = errors.New("the root hash does not match")

// Check reads the data blocks, the superblock, and the hash tree, and compares all of it: an image that passes will
// never fail a read. rootHash is lower-case hex. The reader may hold more; that is not read.
func Check(image io.Reader, blocks uint64, rootHash string) error {
	if blocks == 0 || blocks > maxBlocks {
		return fmt.Errorf("an image of %d blocks cannot be checked", blocks)
	}
	var level []byte // grows with what was read: the number of blocks is only a claim
	block := make([]byte, blockBytes)
	for n := range blocks {
		if _, err := io.ReadFull(image, block); err != nil {
			return fmt.Errorf("block %d of %d: %w", n, blocks, err)
		}
		sum := sha256.Sum256(block)
		level = append(level, sum[:]...)
	}
	root, levels := buildTree(level)
	if hex.EncodeToString(root) != rootHash {
		return fmt.Errorf("%w: found %x, expected %s", ErrMismatch, root, rootHash)
	}
	if _, err := io.ReadFull(image, block); err != nil { // the superblock, which nothing reads
		return fmt.Errorf("superblock: %w", err)
	}
	for i := len(levels) - 1; i >= 0; i-- { // the root's level comes first
		stored := make([]byte, len(levels[i]))
		if _, err := io.ReadFull(image, stored); err != nil {
			return fmt.Errorf("hash tree: %w", err)
		}
		if !bytes.Equal(stored, levels[i]) {
			return fmt.Errorf("%w: the hash tree is damaged", ErrMismatch)
		}
	}
	return nil
}

// buildTree returns the levels from the leaves upwards, each padded to whole blocks.
func buildTree(digests []byte) (root []byte, levels [][]byte) {
	for len(digests) > sha256.Size {
		level := append(digests, make([]byte, (blockBytes-len(digests)%blockBytes)%blockBytes)...)
		levels = append(levels, level)
		digests = make([]byte, 0, len(level)/blockBytes*sha256.Size)
		for at := 0; at < len(level); at += blockBytes {
			sum := sha256.Sum256(level[at : at+blockBytes])
			digests = append(digests, sum[:]...)
		}
	}
	return digests, levels
}
