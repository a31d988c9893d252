// SPDX-License-Identifier: Apache-2.0

package install

import (
	"dodeka/userland/internal/blockdevice"
	"dodeka/userland/internal/fat32"
	"dodeka/userland/internal/partition"
)

type layout struct {
	table           *partition.Table
	esp, bios, meta partition.Partition
	hasBIOS         bool
}

// planLayout fails before anything is written when the disk is too small.
func planLayout(disk blockdevice.Storage, from source) (*layout, error) {
	sector := disk.SectorBytes()
	table, err := partition.New(partition.NewGUID(), disk.Size(), sector)
	if err != nil {
		return nil, err
	}
	least := fat32.LeastBytes(from.bytes(), sector)
	wanted := max(usualESP, 2*least) // two versions side by side
	if room := disk.Size() / 4; wanted > room {
		wanted = max(least, room)
	}
	p := &layout{table: table, hasBIOS: sector == 512 && from.bootImg != nil && from.coreImg != nil}
	if p.esp, err = table.Add("EFI", partition.TypeESP, (wanted+mib-1)/mib*mib); err != nil {
		return nil, err
	}
	if p.hasBIOS {
		if p.bios, err = table.Add("BIOS", partition.TypeBIOSBoot, biosBytes); err != nil {
			return nil, err
		}
	}
	p.meta, err = table.Add("META", partition.TypeLinuxData, metaBytes)
	return p, err
}
