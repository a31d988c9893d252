// SPDX-License-Identifier: Apache-2.0

package disks

import (
	"context"
	"testing"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/impl/inmem"
	"github.com/cosi-project/runtime/pkg/state/impl/namespaced"
	"github.com/siderolabs/talos/pkg/machinery/resources/block"

	"dodeka/userland/internal/partition"
	"dodeka/userland/internal/probe"
)

func publish(t *testing.T, st state.State, i Inventory) {
	t.Helper()
	if err := i.Publish(context.Background(), st); err != nil {
		t.Fatal(err)
	}
}

func TestPublishFollowsTheInventory(t *testing.T) {
	ctx := context.Background()
	st := state.WrapCore(namespaced.NewState(inmem.Build))
	all := list(t)
	vda := all[2]
	meta, _ := vda.Partition(LabelMeta)
	inventory := Inventory{
		Disks: all, System: "vda", Mounted: map[string]string{},
		Volumes: []Volume{
			{Disk: vda, Found: probe.Finding{Name: "gpt"}},
			{Disk: vda, Partition: &meta, Entry: &partition.Partition{Name: "META", Type: partition.TypeLinuxData}, Found: probe.Finding{Name: "talosmeta"}},
		},
	}
	publish(t, st, inventory)
	disk, err := safe.StateGetByID[*block.Disk](ctx, st, "nvme0n1")
	if err != nil || disk.TypedSpec().Size != 1_024_000_000_000 || disk.TypedSpec().PrettySize != "1.0 TB" {
		t.Errorf("disk: %+v, %v", disk, err)
	}
	system, err := block.GetSystemDisk(ctx, st)
	if err != nil || system == nil || system.DevPath != "/dev/vda" {
		t.Errorf("system disk: %+v, %v", system, err)
	}
	volume, err := safe.StateGetByID[*block.DiscoveredVolume](ctx, st, "vda3")
	if err != nil || volume.TypedSpec().PartitionLabel != "META" || volume.TypedSpec().Name != "talosmeta" || volume.TypedSpec().Parent != "vda" {
		t.Errorf("volume: %+v, %v", volume, err)
	}
	for id, want := range map[string]block.VolumePhase{"META": block.VolumePhaseReady, "STATE": block.VolumePhaseMissing, "EPHEMERAL": block.VolumePhaseMissing} {
		status, err := safe.StateGetByID[*block.VolumeStatus](ctx, st, id)
		if err != nil || status.TypedSpec().Phase != want {
			t.Errorf("%s: %+v, %v", id, status, err)
		}
	}
	before := disk.Metadata().Version().String()
	publish(t, st, inventory)
	if disk, _ = safe.StateGetByID[*block.Disk](ctx, st, "nvme0n1"); disk.Metadata().Version().String() != before {
		t.Error("an unchanged disk got a new version")
	}
	publish(t, st, Inventory{Disks: all[:1]})
	disks, _ := safe.StateListAll[*block.Disk](ctx, st)
	if system, _ := block.GetSystemDisk(ctx, st); disks.Len() != 1 || system != nil {
		t.Errorf("%d disks are left, system disk %v", disks.Len(), system)
	}
}

func TestStatusOfMountedVolumes(t *testing.T) {
	vda := Disk{Name: "vda", DevPath: "/dev/vda", Partitions: []Partition{
		{Name: "vda4", Number: "254:4", DevPath: "/dev/vda4", Index: 4, Label: LabelState},
		{Name: "vda5", Number: "254:5", DevPath: "/dev/vda5", Index: 5, Label: LabelEphemeral},
	}}
	i := Inventory{Disks: []Disk{vda}, System: "vda", Mounted: mountPoints("9 1 254:4 / /system/state rw - ext4 x rw\n")}
	want := []block.VolumePhase{block.VolumePhaseMissing, block.VolumePhaseReady, block.VolumePhaseLocated}
	for at, r := range i.statusResources() {
		if r.TypedSpec().Phase != want[at] {
			t.Errorf("%s is %s", r.Metadata().ID(), r.TypedSpec().Phase)
		}
	}
}
