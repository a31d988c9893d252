// SPDX-License-Identifier: Apache-2.0

package reset

import (
	"errors"

	"dodeka/userland/internal/blockdevice"
	"dodeka/userland/internal/partition"
)

const (
	mib       = 1 << 20
	edgeBytes = mib       // wiped at both ends of everything
	allBytes  = 256 * mib // a partition up to this size is overwritten as a whole
)

type discarder interface {
	Discard(offset, length int64) error
}

// wipe clears both ends first, flushed, then the rest as far as the device helps.
func wipe(storage blockdevice.Storage, d discarder) error {
	size := storage.Size()
	edge := min(edgeBytes, size)
	if err := errors.Join(storage.Zero(0, edge), storage.Zero(size-edge, edge), storage.Sync()); err != nil {
		return err
	}
	if d != nil {
		_ = d.Discard(0, size) // a hint only; many disks cannot
	}
	if size <= allBytes {
		edge = size
	}
	// Again, as what was discarded may read as anything.
	return errors.Join(storage.Zero(0, edge), storage.Zero(size-edge, edge), storage.Sync())
}

func wipeWhole(disk blockdevice.Storage) error {
	table, _ := partition.Read(disk)
	if err := partition.Erase(disk); err != nil { // sector 0 first: from here on the disk is an empty one
		return err
	}
	if table != nil {
		for _, p := range table.Partitions {
			if err := clearEdges(disk, table, p); err != nil {
				return err
			}
		}
	}
	edge := min(edgeBytes, disk.Size())
	return errors.Join(disk.Zero(0, edge), disk.Zero(disk.Size()-edge, edge), disk.Sync())
}

// clearPartitions keeps what lay inside from showing up when a later table has a partition at the same place.
func clearPartitions(disk blockdevice.Storage) error {
	table, err := partition.Read(disk)
	if err != nil {
		return nil // nothing that could be followed
	}
	for _, p := range table.Partitions {
		if err := clearEdges(disk, table, p); err != nil {
			return err
		}
	}
	return disk.Sync()
}

func clearEdges(disk blockdevice.Storage, table *partition.Table, p partition.Partition) error {
	length := min(edgeBytes, table.Bytes(p))
	end := table.Offset(p) + table.Bytes(p)
	return errors.Join(disk.Zero(table.Offset(p), length), disk.Zero(end-length, length))
}
