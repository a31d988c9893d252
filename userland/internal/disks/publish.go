// SPDX-License-Identifier: Apache-2.0

package disks

import (
	"context"
	"strings"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/resource/typed"
	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/resources/block"
)

// Publish makes the block resources equal to the inventory.
func (i Inventory) Publish(ctx context.Context, st state.State) error {
	if err := replace(ctx, st, i.diskResources()); err != nil {
		return err
	}
	if err := replace(ctx, st, i.volumeResources()); err != nil {
		return err
	}
	if err := replace(ctx, st, i.systemResources()); err != nil {
		return err
	}
	return replace(ctx, st, i.statusResources())
}

// replace writes the given resources and destroys all others of the type.
func replace[T typed.DeepCopyable[T], E typed.Extension](ctx context.Context, st state.State, wanted []*typed.Resource[T, E]) error {
	var extension E
	definition := extension.ResourceDefinition()
	kept := map[resource.ID]bool{}
	for _, w := range wanted {
		kept[w.Metadata().ID()] = true
		err := safe.StateModify(ctx, st, w, func(r *typed.Resource[T, E]) error {
			*r.TypedSpec() = *w.TypedSpec()
			return nil
		})
		if err != nil {
			return err
		}
	}
	list, err := st.List(ctx, resource.NewMetadata(definition.DefaultNamespace, definition.Type, "", resource.VersionUndefined))
	if err != nil {
		return err
	}
	for _, old := range list.Items {
		if kept[old.Metadata().ID()] {
			continue
		}
		if err := st.Destroy(ctx, old.Metadata()); err != nil && !state.IsNotFoundError(err) {
			return err
		}
	}
	return nil
}

func (i Inventory) diskResources() []*block.Disk {
	var list []*block.Disk
	for _, d := range i.Disks {
		r := block.NewDisk(block.NamespaceName, d.Name)
		*r.TypedSpec() = block.DiskSpec{
			DevPath: d.DevPath, IOSize: d.IOSize, SectorSize: d.SectorSize, Readonly: d.ReadOnly, CDROM: d.CDROM, Model: d.Model,
			Serial: d.Serial, Modalias: d.Modalias, WWID: d.WWID, UUID: d.UUID, BusPath: d.BusPath, SubSystem: d.SubSystem,
			Transport: d.Transport, Rotational: d.Rotational, Symlinks: d.Symlinks,
		}
		r.TypedSpec().SetSize(d.Size)
		list = append(list, r)
	}
	return list
}

func (i Inventory) systemResources() []*block.SystemDisk {
	d, ok := i.Disk(i.System)
	if !ok {
		return nil
	}
	r := block.NewSystemDisk(block.NamespaceName, block.SystemDiskID)
	*r.TypedSpec() = block.SystemDiskSpec{DiskID: d.Name, DevPath: d.DevPath}
	return []*block.SystemDisk{r}
}

func (i Inventory) volumeResources() []*block.DiscoveredVolume {
	var list []*block.DiscoveredVolume
	for _, v := range i.Volumes {
		id, size := v.Disk.Name, v.Disk.Size
		spec := block.DiscoveredVolumeSpec{DevPath: v.Disk.DevPath, Type: block.DeviceTypeDisk, DevicePath: v.Disk.BusPath}
		if p := v.Partition; p != nil {
			id, size = p.Name, p.Size
			spec = block.DiscoveredVolumeSpec{
				DevPath: p.DevPath, Type: block.DeviceTypePartition, DevicePath: v.Disk.BusPath, Parent: v.Disk.Name,
				ParentDevPath: v.Disk.DevPath, Offset: p.Offset, PartitionLabel: p.Label, PartitionIndex: uint(p.Index),
			}
		}
		if e := v.Entry; e != nil {
			spec.PartitionUUID, spec.PartitionType, spec.PartitionLabel = e.ID.String(), e.Type.String(), e.Name
		}
		spec.SectorSize, spec.IOSize = v.Disk.SectorSize, v.Disk.IOSize
		spec.Name, spec.Label, spec.UUID = v.Found.Name, v.Found.Label, v.Found.UUID
		spec.BlockSize, spec.FilesystemBlockSize, spec.ProbedSize = v.Found.BlockBytes, v.Found.BlockBytes, v.Found.Bytes
		r := block.NewDiscoveredVolume(block.NamespaceName, id)
		*r.TypedSpec() = spec
		r.TypedSpec().SetSize(size)
		list = append(list, r)
	}
	return list
}

// statusResources are those of the system's own volumes, also of the ones that are not there.
func (i Inventory) statusResources() []*block.VolumeStatus {
	system, _ := i.Disk(i.System)
	var list []*block.VolumeStatus
	for _, label := range []string{LabelMeta, LabelState, LabelEphemeral} {
		r := block.NewVolumeStatus(block.NamespaceName, label)
		spec := r.TypedSpec()
		spec.Type, spec.Phase = block.VolumeTypePartition, block.VolumePhaseMissing
		if p, ok := system.Partition(label); ok {
			spec.Phase = block.VolumePhaseLocated
			if _, mounted := i.Mounted[p.Number]; mounted || label == LabelMeta {
				spec.Phase = block.VolumePhaseReady
			}
			spec.Location, spec.MountLocation, spec.ParentLocation = p.DevPath, p.DevPath, system.DevPath
			spec.PartitionIndex = p.Index
			spec.SetSize(p.Size)
			i.describe(spec, p)
		}
		list = append(list, r)
	}
	return list
}

func (i Inventory) describe(spec *block.VolumeStatusSpec, p Partition) {
	for _, v := range i.Volumes {
		if v.Partition == nil || v.Partition.Name != p.Name {
			continue
		}
		spec.UUID = v.Found.UUID
		if v.Entry != nil {
			spec.PartitionUUID = v.Entry.ID.String()
		}
		if v.Found.Name == "ext4" {
			spec.Filesystem = block.FilesystemTypeEXT4
		}
	}
}

func mountPoints(mountInfo string) map[string]string {
	points := map[string]string{}
	for line := range strings.Lines(mountInfo) {
		if fields := strings.Fields(line); len(fields) >= 5 {
			points[fields[2]] = fields[4]
		}
	}
	return points
}
