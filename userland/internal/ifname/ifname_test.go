// SPDX-License-Identifier: Apache-2.0

package ifname

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// tree is a /sys with one interface: where its device is, attributes of the interface, and other files.
func tree(device, name string, attributes, files map[string]string) fstest.MapFS {
	real := "devices/" + device + "/net/" + name
	sys := fstest.MapFS{
		"class/net/" + name: {Data: []byte("../../" + real), Mode: fs.ModeSymlink | 0o777},
		real + "/type":      {Data: []byte("1\n")},
	}
	for key, value := range attributes {
		sys[real+"/"+key] = &fstest.MapFile{Data: []byte(value + "\n")}
	}
	for key, value := range files {
		sys[key] = &fstest.MapFile{Data: []byte(value)}
	}
	return sys
}

func TestOf(t *testing.T) {
	const pci = "pci0000:00/0000:00:03.0"
	none := map[string]string{}
	many := strings.Repeat("\x00", 14) + "\x80" + strings.Repeat("\x00", 49)
	tests := []struct {
		name, device      string
		attributes, files map[string]string
		want              string
	}{
		{"virtio by path", pci + "/virtio0", none, none, "enp0s3"},
		{"on the board, ACPI", pci, none, map[string]string{"devices/" + pci + "/acpi_index": "2\n", "devices/" + pci + "/index": "7\n"}, "eno2"},
		{"on the board, SMBIOS", pci, none, map[string]string{"devices/" + pci + "/index": "1\n"}, "eno1"},
		{"a number that means none", pci, none, map[string]string{"devices/" + pci + "/index": "65535\n"}, "enp0s3"},
		{"slot", pci + "/virtio1", none, map[string]string{"bus/pci/slots/3/address": "0000:00:03\n"}, "ens3"},
		{"slot of a bridge", "pci0000:00/0000:00:1c.0/0000:02:00.1", none, map[string]string{"bus/pci/slots/4/address": "0000:00:1c\n"}, "ens4f1"},
		{"behind a bridge", "pci0000:00/0000:00:1c.0/0000:0a:00.0", none, none, "enp10s0"},
		{"several functions", pci, none, map[string]string{"devices/" + pci + "/config": many}, "enp0s3f0"},
		{"second socket", pci, map[string]string{"dev_port": "1"}, none, "enp0s3d1"},
		{"named socket", pci, map[string]string{"phys_port_name": "p0"}, none, "enp0s3np0"},
		{"socket with a name that is none", pci, map[string]string{"phys_port_name": "a/b"}, none, "enp0s3"},
		{"another domain", "pci10000:e0/10000:e1:00.0", none, none, "enP65536p225s0"},
		{"USB with an address", pci + "/usb1/1-2/1-2.3/1-2.3:1.0", map[string]string{"addr_assign_type": "0", "address": "02:03:04:05:06:07"}, none, "enx020304050607"},
		{"USB without", pci + "/usb1/1-2/1-2.3/1-2.3:1.0", map[string]string{"addr_assign_type": "1", "address": "02:03:04:05:06:07"}, none, "enp0s3u2u3"},
		{"USB, second function", pci + "/usb1/1-2/1-2:2.1", none, none, "enp0s3u2c2i1"},
		{"Xen", "vif-0", none, none, "enX0"},
		{"virtual", "virtual", none, none, ""},
		{"no known bus", "LNXSYSTM:00/vmbus/1234", none, none, ""},
		{"too long", "pci10000:e0/10000:e1:00.0", map[string]string{"phys_port_name": "longname"}, none, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := Of(tree(tc.device, "eth0", tc.attributes, tc.files), "eth0"); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestPCI(t *testing.T) {
	const pci = "pci0000:00/0000:00:03.0"
	for device, want := range map[string]string{pci: "devices/" + pci, pci + "/virtio0": "devices/" + pci, "vif-0": "", "virtual": ""} {
		if got := PCI(tree(device, "eth0", nil, nil), "eth0"); got != want {
			t.Errorf("%s: got %q, want %q", device, got, want)
		}
	}
}

func TestRenames(t *testing.T) {
	for kind, want := range map[string]bool{"1": true, "3": false, "4": false, "": false} {
		sys := tree("pci0000:00/0000:00:03.0", "eth0", map[string]string{"name_assign_type": kind}, nil)
		if got := Renames(sys, "eth0"); got != want {
			t.Errorf("%q: got %v", kind, got)
		}
	}
}

func TestOfKnowsNothingOfAMissingInterface(t *testing.T) {
	if got := Of(fstest.MapFS{}, "eth0"); got != "" {
		t.Errorf("got %q", got)
	}
}
