// SPDX-License-Identifier: Apache-2.0

package disks

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/cel"
	"github.com/siderolabs/talos/pkg/machinery/cel/celenv"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"
	"go.yaml.in/yaml/v4"

	"dodeka/userland/internal/blockdevice"
	"dodeka/userland/internal/partition"
)

// fakeSys makes a sysfs of three disks and a CD drive: a virtio disk with the system, an NVMe, a USB stick.
func fakeSys(t *testing.T) string {
	t.Helper()
	sys := t.TempDir()
	device := func(place, name string, files map[string]string) {
		dir := filepath.Join(sys, "devices", place, "block", name)
		for file, text := range files {
			write(t, filepath.Join(dir, file), text+"\n")
		}
		if err := os.MkdirAll(filepath.Join(sys, "class/block"), 0o755); err != nil {
			t.Fatal(err)
		}
		link(t, dir, filepath.Join(sys, "class/block", name))
	}
	device("pci0000:00/0000:00:04.0/virtio1", "vda", map[string]string{
		"dev": "254:0", "size": "2097152", "serial": "DISK1", "ro": "0", "queue/logical_block_size": "512", "queue/rotational": "1",
		"device/modalias": "virtio:d2v1", "vda1/partition": "1", "vda1/dev": "254:1", "vda1/start": "2048", "vda1/size": "131072",
		"vda1/uevent": "DEVNAME=vda1\nPARTN=1\nPARTNAME=EFI", "vda3/partition": "3", "vda3/dev": "254:3", "vda3/start": "135168",
		"vda3/size": "2048", "vda3/uevent": "PARTN=3\nPARTNAME=META",
	})
	device("pci0000:00/0000:01:00.0/nvme/nvme0", "nvme0n1", map[string]string{
		"dev": "259:0", "size": "2000000000", "queue/logical_block_size": "4096", "queue/rotational": "0", "wwid": "eui.0025385b71b01234",
		"device/model": "Fast One", "device/serial": "S123", "queue/optimal_io_size": "0", "queue/minimum_io_size": "4096",
	})
	device("pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0/host6/target6:0:0/6:0:0:0", "sda", map[string]string{
		"dev": "8:0", "size": "30000000", "removable": "1", "device/model": "Stick", "device/wwid": "naa.5000c500a1b2c3d4",
		"sda1/partition": "1", "sda1/dev": "8:1", "sda1/start": "64", "sda1/size": "100", "sda1/uevent": "PARTN=1",
	})
	device("pci0000:00/0000:00:1f.2/ata2/host1/target1:0:0/1:0:0:0", "sr0", map[string]string{"dev": "11:0", "size": "0", "removable": "1"})
	device("virtual", "loop0", map[string]string{"dev": "7:0", "size": "8"})
	device("virtual", "dm-0", map[string]string{"dev": "253:0", "size": "8"})
	device("pci0000:00/0000:02:00.0/nvme/nvme1", "nvme1c0n1", map[string]string{"dev": "0:0", "size": "8", "hidden": "1"})
	return sys
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

func list(t *testing.T) []Disk {
	t.Helper()
	all, err := List(fakeSys(t))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestList(t *testing.T) {
	all := list(t)
	var names []string
	for _, d := range all {
		names = append(names, d.Name)
	}
	if want := []string{"sda", "sr0", "vda", "nvme0n1"}; !slices.Equal(names, want) {
		t.Fatalf("got %v, want %v", names, want)
	}
	sda, sr0, vda, nvme := all[0], all[1], all[2], all[3]
	checks := []struct {
		what string
		ok   bool
	}{
		{"USB", sda.Transport == "usb" && sda.Removable && sda.Model == "Stick" && sda.WWID == "naa.5000c500a1b2c3d4"},
		{"CD", sr0.CDROM && sr0.Size == 0 && sr0.Transport == "sata"},
		{"virtio", vda.Transport == "virtio" && vda.Size == 1<<30 && vda.Serial == "DISK1" && vda.SectorSize == 512 && vda.Rotational},
		{"NVMe", nvme.Transport == "nvme" && nvme.SectorSize == 4096 && nvme.IOSize == 4096 && nvme.Model == "Fast One" && !nvme.Rotational},
		{"bus path", vda.BusPath == "/pci0000:00/0000:00:04.0/virtio1"},
		{"virtio names", slices.Equal(vda.Symlinks, []string{"/dev/disk/by-id/virtio-DISK1", "/dev/disk/by-path/pci-0000:00:04.0"})},
		{"NVMe names", slices.Equal(nvme.Symlinks, []string{
			"/dev/disk/by-id/nvme-Fast_One_S123", "/dev/disk/by-id/nvme-eui.0025385b71b01234", "/dev/disk/by-path/pci-0000:01:00.0-nvme-1"})},
		{"WWN", slices.Equal(sda.Symlinks, []string{"/dev/disk/by-id/wwn-0x5000c500a1b2c3d4"})},
		{"partitions", len(vda.Partitions) == 2 && vda.Partitions[1].Label == "META" && vda.Partitions[1].Offset == 135168*512 && vda.Partitions[1].Size == 1<<20},
	}
	for _, c := range checks {
		if !c.ok {
			t.Errorf("%s is wrong: %+v", c.what, all)
		}
	}
}

func TestBootAndSystem(t *testing.T) {
	const rest = " / /run/dodeka/media ro,nosuid - vfat /dev/x ro\n"
	tests := []struct{ name, mountInfo, boot, system string }{
		{"booted from the disk", "30 1 254:1" + rest, "vda", "vda"},
		{"booted from a stick", "30 1 8:0" + rest, "sda", "vda"},
		{"booted from a CD", "30 1 11:0" + rest, "sr0", "vda"},
		{"booted over the network", "20 1 254:1 / /elsewhere rw - ext4 x rw\n", "", "vda"},
		{"nonsense", "30\n\n", "", "vda"},
	}
	all := list(t)
	for _, tc := range tests {
		boot, _ := Boot(all, tc.mountInfo)
		system, _ := System(all, boot.Name)
		if boot.Name != tc.boot || system.Name != tc.system {
			t.Errorf("%s: booted %q, system %q", tc.name, boot.Name, system.Name)
		}
	}
	twin := all[2]
	twin.Name = "vdb"
	if d, ok := System(append(all, twin), "sda"); ok {
		t.Errorf("%s was taken of two system disks", d.Name)
	}
	if d, _ := System(append(all, twin), "vdb"); d.Name != "vdb" {
		t.Errorf("%q was taken instead of the booted one", d.Name)
	}
}

func TestLabelsComeFromTheDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk")
	write(t, path, "")
	if err := os.Truncate(path, 64<<20); err != nil {
		t.Fatal(err)
	}
	device, err := blockdevice.OpenWritable(path)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	table, _ := partition.New(partition.NewGUID(), device.Size(), 512)
	entry, err := table.Add("STATE", partition.TypeLinuxData, 1<<20)
	if err != nil || table.Write(device) != nil {
		t.Fatal(err)
	}
	d := Disk{DevPath: path, Partitions: []Partition{{Index: 1, Offset: uint64(table.Offset(entry))}, {Index: 2, Offset: 5}}}
	setLabels(d, readTable(d))
	if d.Partitions[0].Label != "STATE" || d.Partitions[1].Label != "" {
		t.Errorf("got %+v", d.Partitions)
	}
}

// parseSelector reads an expression such as `disk.size >= 100u * GB && disk.transport == "nvme" && !system_disk`.
func parseSelector(expression string) (Selector, error) {
	parsed, err := cel.ParseBooleanExpression(expression, celenv.DiskLocator())
	if err != nil {
		return Selector{}, err
	}
	return Selector{Match: &parsed}, nil
}

func TestSelect(t *testing.T) {
	tests := []struct {
		name, path, expression string
		want, reason           string
	}{
		{name: "by path", path: "/dev/vda", want: "vda"},
		{name: "by id", path: "/dev/disk/by-id/nvme-Fast_One_S123", want: "nvme0n1"},
		{name: "by size", expression: "disk.size >= 100u * GB", want: "nvme0n1"},
		{name: "by transport and not rotating", expression: `disk.transport == "nvme" && !disk.rotational`, want: "nvme0n1"},
		{name: "by glob of the model", expression: `glob("Fast*", disk.model)`, want: "nvme0n1"},
		{name: "not the system disk", expression: `!system_disk && disk.size > 1u * GiB`, want: "nvme0n1"},
		{name: "the booted stick is passed over", expression: `disk.size > 0u`, want: "vda"},
		{name: "the booted stick by name", path: "/dev/sda", reason: "/dev/sda is the medium that was booted"},
		{name: "a CD", path: "/dev/sr0", reason: "/dev/sr0 is a CD drive"},
		{name: "none", path: "/dev/sdz", reason: `no disk fits "/dev/sdz": /dev/sda does not match`},
		{name: "nothing selected", reason: "no disk is selected"},
	}
	all := list(t)
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			selector := Selector{Path: tc.path}
			if tc.expression != "" {
				var err error
				if selector, err = parseSelector(tc.expression); err != nil {
					t.Fatal(err)
				}
			}
			got, err := Select(all, selector, "sda", "vda")
			if got.Name != tc.want || (err != nil) != (tc.reason != "") || err != nil && !strings.Contains(err.Error(), tc.reason) {
				t.Errorf("got %q, %v", got.Name, err)
			}
		})
	}
	for _, bad := range []string{"disk.size", "disk.nothing == 1", "((", `"x"`} {
		if _, err := parseSelector(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestSelectByConfiguration(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"path", "disk: /dev/vda", "vda"},
		{"size", "diskSelector: {size: '>= 100GB'}", "nvme0n1"},
		{"small", "diskSelector: {size: '<= 2GB'}", "vda"},
		{"serial", "diskSelector: {serial: 'S1*'}", "nvme0n1"},
		{"model", "diskSelector: {model: 'Fast*'}", "nvme0n1"},
		{"type", "diskSelector: {type: nvme}", "nvme0n1"},
		{"bus path", "diskSelector: {busPath: '/pci0000:00/0000:00:04*'}", "vda"},
		{"path and selector", "disk: /dev/vda\ndiskSelector: {type: nvme}", "vda"},
	}
	all := list(t)
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			config := &v1alpha1.InstallConfig{}
			if err := yaml.Unmarshal([]byte(tc.text), config); err != nil {
				t.Fatal(err)
			}
			selector, err := SelectorOf(config)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := Select(all, selector, "sda", ""); got.Name != tc.want {
				t.Errorf("got %q, %v", got.Name, err)
			}
		})
	}
}
