// SPDX-License-Identifier: Apache-2.0

// Package metastore keeps a few small values in the META partition: they outlive every reset that spares META.
// Two copies with a checksum each are written one after the other, so that a power cut at any time leaves the old or
// the new values whole. The first copy is never older than the second.
package metastore

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"sync"

	"dodeka/userland/internal/blockdevice"
)

// Keys of ours, as JSON: what the reset that has begun shall still wipe, and what became of the last upgrade. Those that
// Talos gave a meaning are in machinery's package meta. Tag 0 cannot be a key.
const (
	ResetInProgress uint8 = 0xd0
	UpgradeAttempt  uint8 = 0xd1
)

// IsOwn tells whether a key is kept for what the system notes for itself. Whoever could write it could have the next boot
// wipe a disk.
func IsOwn(tag uint8) bool { return tag >= 0xd0 && tag <= 0xdf }

// Store is the values in memory and the place they came from. It may be used by several goroutines.
type Store struct {
	publishing sync.Mutex // so that what is published last is what is there

	mu     sync.Mutex
	open   func() (medium, error)
	values values
}

type medium interface {
	blockdevice.Storage
	Close() error
}

// Open reads the partition (or an image of it). One without values, or with both copies damaged, is empty: there is
// nothing left to save. When one copy is damaged or older, it is made equal to the other.
func Open(path string) (*Store, error) {
	return openWith(func() (medium, error) { return blockdevice.OpenWritable(path) })
}

func openWith(open func() (medium, error)) (*Store, error) {
	s := &Store{open: open, values: values{}}
	disk, err := open()
	if err != nil {
		return nil, err
	}
	defer disk.Close()
	if disk.Size() < copies*copyBytes {
		return nil, fmt.Errorf("META has %d bytes, expected at least %d", disk.Size(), copies*copyBytes)
	}
	var blocks [copies][]byte
	chosen := -1
	for i := range copies {
		blocks[i] = make([]byte, copyBytes)
		if _, err := disk.ReadAt(blocks[i], int64(i)*copyBytes); err != nil {
			continue // a bad sector is a damaged copy
		}
		if found, err := decode(blocks[i]); err == nil && chosen < 0 {
			s.values, chosen = found, i
		}
	}
	if chosen >= 0 && !bytes.Equal(blocks[0], blocks[1]) {
		_ = writeCopies(disk, blocks[chosen]) // repair; the values are here whether it succeeds or not
	}
	return s, nil
}

// Get returns a value.
func (s *Store) Get(tag uint8) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	value, ok := s.values[tag]
	return value, ok
}

// All returns a copy of everything.
func (s *Store) All() map[uint8]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.values)
}

// Set returns when the value is on the medium. After an error the old value holds, in memory and after a reboot.
func (s *Store) Set(tag uint8, value string) error {
	if tag == 0 {
		return errors.New("META key 0 ends the list, so it cannot be a key")
	}
	return s.change(func(v values) { v[tag] = value })
}

// Delete of a key that is not there does nothing.
func (s *Store) Delete(tag uint8) error {
	if _, ok := s.Get(tag); !ok {
		return nil
	}
	return s.change(func(v values) { delete(v, tag) })
}

// Forget drops all values in memory, after the partition was wiped.
func (s *Store) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values = values{}
}

func (s *Store) change(edit func(values)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := maps.Clone(s.values)
	edit(changed)
	block, err := changed.encode()
	if err != nil {
		return err
	}
	disk, err := s.open()
	if err != nil {
		return err
	}
	defer disk.Close()
	if err := writeCopies(disk, block); err != nil {
		return fmt.Errorf("write META: %w", err)
	}
	s.values = changed
	return nil
}

// writeCopies flushes in between: a drive may reorder what lies between two flushes.
func writeCopies(disk blockdevice.Storage, block []byte) error {
	for i := range int64(copies) {
		if _, err := disk.WriteAt(block, i*copyBytes); err != nil {
			return err
		}
		if err := disk.Sync(); err != nil {
			return err
		}
	}
	return nil
}
