// SPDX-License-Identifier: Apache-2.0

package partition

import (
	"testing"
	"testing/fstest"
)

func TestDeviceName(t *testing.T) {
	for disk, want := range map[string]string{"sda": "sda3", "nvme0n1": "nvme0n1p3", "mmcblk0": "mmcblk0p3", "vdb": "vdb3"} {
		if got := DeviceName(disk, 3); got != want {
			t.Errorf("%s: %s", disk, got)
		}
	}
}

func TestKernelPartitions(t *testing.T) {
	sys := fstest.MapFS{}
	for name, text := range map[string]string{
		"sda/size": "99", "sda/sda1/partition": "1\n", "sda/sda1/start": "2048\n", "sda/sda1/size": "8\n", "sda/queue/size": "7",
	} {
		sys["class/block/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	got := kernelPartitions(sys, "sda")
	if len(got) != 1 || got[1] != (known{2048, 8}) {
		t.Errorf("got %v", got)
	}
}
