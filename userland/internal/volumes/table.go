// SPDX-License-Identifier: Apache-2.0

package volumes

import (
	"errors"

	"dodeka/userland/internal/blockdevice"
	"dodeka/userland/internal/partition"
)

// changeTable writes the table when anything about it is to change. What the new partition covers is cleared first: an
// old file system that happens to lie there must not come back to life.
func changeTable(disk blockdevice.Storage, v Volume) (*partition.Table, error) {
	table, err := partition.Read(disk)
	if err != nil {
		return nil, err
	}
	changed := !table.Healthy()
	if changed { // the disk may have grown: the end of the table comes first
		if err := table.Write(disk); err != nil {
			return nil, err
		}
	}
	p, ok := table.Find(v.Label)
	if !ok {
		if p, err = table.Add(v.Label, partition.TypeLinuxData, v.Bytes); err != nil {
			return nil, err
		}
		length := min(clearBytes, table.Bytes(p))
		if err := errors.Join(disk.Zero(table.Offset(p), length), disk.Sync()); err != nil {
			return nil, err
		}
		return table, table.Write(disk)
	}
	if v.Bytes == 0 && table.Grow(p.Number) {
		return table, table.Write(disk)
	}
	return table, nil
}
