// SPDX-License-Identifier: Apache-2.0

package sysfs

import (
	"slices"
	"testing"
	"testing/fstest"
)

func tree(files map[string]string) fstest.MapFS {
	sys := fstest.MapFS{}
	for name, text := range files {
		sys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return sys
}

func TestModaliasesAreSortedAndUnique(t *testing.T) {
	sys := tree(map[string]string{
		"bus/pci/devices/0000:00:02.0/modalias":    "pci:v2\n",
		"bus/pci/devices/0000:00:03.0/modalias":    "pci:v1\n",
		"bus/pci/devices/0000:00:04.0/modalias":    "pci:v2\n",
		"bus/usb/devices/1-1:1.0/modalias":         "usb:v3\n",
		"bus/scsi/devices/host0/uevent":            "x",
		"bus/platform/devices/empty/modalias":      "\n",
		"class/input/input0/modalias":              "input:b4\n",
		"devices/system/cpu/modalias":              "cpu:type:x86\n",
		"devices/pci0000:00/0000:00:02.0/modalias": "pci:v2\n",
	})
	want := []string{"cpu:type:x86", "input:b4", "pci:v1", "pci:v2", "usb:v3"}
	if got := Modaliases(sys); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestBlocks(t *testing.T) {
	sys := tree(map[string]string{
		"class/block/sda/size": "100\n", "class/block/sda/diskseq": "9\n",
		"class/block/sda10/size": "10\n", "class/block/sda2/size": "20\n",
		"class/block/sr0/size":   "0\n",
		"class/block/loop0/size": "1\n", "class/block/dm-0/size": "1\n", "class/block/fd0/size": "1\n",
		"class/block/odd/size": "many\n",
	})
	want := []Block{{"sda", 100, "9"}, {"sr0", 0, ""}, {"sda2", 20, ""}, {"sda10", 10, ""}}
	if got := Blocks(sys); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestEthernets(t *testing.T) {
	sys := tree(map[string]string{
		"class/net/eth1/type": "1\n", "class/net/eth1/device/vendor": "x",
		"class/net/eth0/type": "1\n", "class/net/eth0/device/vendor": "x",
		"class/net/lo/type":    "772\n",
		"class/net/veth0/type": "1\n",
		"class/net/wlan0/type": "1\n", "class/net/wlan0/device/vendor": "x", "class/net/wlan0/phy80211/name": "x",
		"class/net/ib0/type": "32\n", "class/net/ib0/device/vendor": "x",
	})
	if got := Ethernets(sys); !slices.Equal(got, []string{"eth0", "eth1"}) {
		t.Errorf("got %v", got)
	}
}
