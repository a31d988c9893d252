// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/api/storage"
	"github.com/siderolabs/talos/pkg/machinery/resources/block"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Disks implements storage.StorageServiceServer with what the disk inventory found.
func (a *api) Disks(ctx context.Context, _ *emptypb.Empty) (*storage.DisksResponse, error) {
	found, err := safe.StateListAll[*block.Disk](ctx, a.p.State)
	if err != nil {
		return nil, err
	}
	system, err := safe.StateGetByID[*block.SystemDisk](ctx, a.p.State, block.SystemDiskID)
	if err != nil && !state.IsNotFoundError(err) {
		return nil, err
	}
	answer := &storage.Disks{}
	for disk := range found.All() {
		d := disk.TypedSpec()
		answer.Disks = append(answer.Disks, &storage.Disk{
			DeviceName: d.DevPath, Model: d.Model, Size: d.Size, Serial: d.Serial, Modalias: d.Modalias, Wwid: d.WWID,
			Uuid: d.UUID, Type: diskType(d), BusPath: d.BusPath, Subsystem: d.SubSystem, Readonly: d.Readonly,
			SystemDisk: system != nil && system.TypedSpec().DiskID == disk.Metadata().ID(),
		})
	}
	return &storage.DisksResponse{Messages: []*storage.Disks{answer}}, nil
}

func diskType(d *block.DiskSpec) storage.Disk_DiskType {
	switch {
	case d.CDROM:
		return storage.Disk_CD
	case d.Transport == "nvme":
		return storage.Disk_NVME
	case d.Transport == "mmc":
		return storage.Disk_SD
	case d.Rotational:
		return storage.Disk_HDD
	case d.Transport != "":
		return storage.Disk_SSD
	}
	return storage.Disk_UNKNOWN
}
