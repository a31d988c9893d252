// SPDX-License-Identifier: Apache-2.0

package probe

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func image(length int, at map[int]string) []byte {
	b := make([]byte, length)
	for offset, text := range at {
		copy(b[offset:], text)
	}
	return b
}

func TestIdentifyBySignature(t *testing.T) {
	const size = 1 << 20
	fat := map[int]string{11: "\x00\x02\x08", 510: "\x55\xaa", 82: "FAT32   ", 67: "\x78\x56\x34\x12", 71: "DODEKA     ", 32: "\x00\x10"}
	tests := []struct {
		name string
		at   map[int]string
		want string
	}{
		{"blank", nil, ""},
		{"GPT", map[int]string{512: "EFI PART"}, "gpt"},
		{"GPT on 4096", map[int]string{4096: "EFI PART"}, "gpt"},
		{"only the backup GPT", map[int]string{size - 512: "EFI PART"}, "gpt"},
		{"MBR", map[int]string{446 + 4: "\x83", 446 + 12: "\x10", 510: "\x55\xaa"}, "dos"},
		{"protective MBR", map[int]string{446 + 4: "\xee", 446 + 12: "\x10", 510: "\x55\xaa"}, ""},
		{"boot code without records", map[int]string{446: "\x12", 446 + 4: "\x83", 446 + 12: "\x10", 510: "\x55\xaa"}, ""},
		{"FAT", fat, `vfat "DODEKA"`},
		{"LUKS 2", map[int]string{0: "LUKS\xba\xbe\x00\x02", 24: "data"}, `luks "data"`},
		{"LVM", map[int]string{512: "LABELONE", 536: "LVM2 001"}, "lvm2-pv"},
		{"RAID 1.2", map[int]string{4096: "\xfc\x4e\x2b\xa9"}, "linux_raid_member"},
		{"RAID 1.0", map[int]string{size - 8192: "\xfc\x4e\x2b\xa9"}, "linux_raid_member"},
		{"ext2", map[int]string{1024 + 0x38: "\x53\xef"}, "ext2"},
		{"ext3", map[int]string{1024 + 0x38: "\x53\xef", 1024 + 0x5c: "\x04"}, "ext3"},
		{"ext4", map[int]string{1024 + 0x38: "\x53\xef", 1024 + 0x60: "\xc2", 1024 + 0x78: "STATE"}, `ext4 "STATE"`},
		{"XFS", map[int]string{0: "XFSB", 108: "data"}, `xfs "data"`},
		{"btrfs", map[int]string{0x10040: "_BHRfS_M"}, "btrfs"},
		{"ISO", map[int]string{0x8001: "CD001", 0x8028: "DODEKA   "}, `iso9660 "DODEKA"`},
		{"squashfs", map[int]string{0: "hsqs"}, "squashfs"},
		{"swap", map[int]string{4086: "SWAPSPACE2"}, "swap"},
		{"ZFS", map[int]string{129 << 10: "\x0c\xb1\xba\x00\x00\x00\x00\x00"}, "zfs_member"},
		{"META", map[int]string{0: "\x5a\x4b\x3c\x2d"}, "talosmeta"},
		{"hybrid ISO", map[int]string{512: "EFI PART", 0x8001: "CD001"}, "gpt, iso9660"},
		{"label with control characters", map[int]string{1024 + 0x38: "\x53\xef", 1024 + 0x78: "a\x1b[2Jb"}, `ext2 "a[2Jb"`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			found, err := Identify(bytes.NewReader(image(size, tc.at)), size)
			if got := Describe(found); got != tc.want || err != nil {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestBlank(t *testing.T) {
	tests := []struct {
		name    string
		content []byte
		want    bool
	}{
		{"zeros", make([]byte, 3<<20), true},
		{"ones", bytes.Repeat([]byte{0xff}, 3<<20), true},
		{"data at the start", image(3<<20, map[int]string{12345: "x"}), false},
		{"data at the end", image(3<<20, map[int]string{3<<20 - 1: "x"}), false},
		{"data between", image(3<<20, map[int]string{3 << 19: "x"}), true},
		{"empty", nil, true},
		{"small", make([]byte, 100), true},
	}
	for _, tc := range tests {
		if got, err := Blank(bytes.NewReader(tc.content), int64(len(tc.content))); got != tc.want || err != nil {
			t.Errorf("%s: %v, %v", tc.name, got, err)
		}
	}
}

func TestIdentifyWhatToolsMake(t *testing.T) {
	tests := []struct {
		tool []string
		want Finding
	}{
		{[]string{"mkfs.vfat", "-F", "32", "-i", "12345678", "-n", "EFI"}, Finding{Name: "vfat", Label: "EFI", UUID: "1234-5678", BlockBytes: 512, Bytes: 64 << 20}},
		{[]string{"mke2fs", "-q", "-t", "ext4", "-b", "4096", "-L", "STATE", "-U", "6f646564-6b61-8000-8000-000000000001"},
			Finding{Name: "ext4", Label: "STATE", UUID: "6f646564-6b61-8000-8000-000000000001", BlockBytes: 4096, Bytes: 64 << 20}},
		{[]string{"mkswap", "-q", "-L", "paging", "-U", "6f646564-6b61-8000-8000-000000000001"},
			Finding{Name: "swap", Label: "paging", UUID: "6f646564-6b61-8000-8000-000000000001", BlockBytes: 4096}},
	}
	for _, tc := range tests {
		t.Run(tc.tool[0], func(t *testing.T) {
			if _, err := exec.LookPath(tc.tool[0]); err != nil {
				t.Skipf("%s is missing", tc.tool[0])
			}
			path := filepath.Join(t.TempDir(), "image")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, 64<<20); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(tc.tool[0], append(tc.tool[1:], path)...).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			file, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			found, err := Identify(file, 64<<20)
			if err != nil || len(found) != 1 || found[0] != tc.want {
				t.Errorf("got %+v, %v", found, err)
			}
		})
	}
}

func FuzzIdentify(f *testing.F) {
	f.Add([]byte("XFSB"), 0)
	f.Add([]byte("\x53\xef"), 1024+0x38)
	f.Fuzz(func(t *testing.T, data []byte, at int) {
		b := make([]byte, 200<<10)
		if at < 0 || at > len(b) {
			return
		}
		copy(b[at:], data)
		if _, err := Identify(bytes.NewReader(b), int64(len(b))); err != nil {
			t.Fatal(err)
		}
	})
}
