// SPDX-License-Identifier: Apache-2.0

package install

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dodeka/userland/internal/blockdevice"
	"dodeka/userland/internal/cmdline"
	"dodeka/userland/internal/fat32"
	"dodeka/userland/internal/partition"
	"dodeka/userland/internal/probe"
)

const diskBytes = 400 * mib

// sealed is a root image of one block: its own digest is the root hash.
func sealed(fill byte) (image []byte, running cmdline.Cmdline) {
	image = bytes.Repeat([]byte{fill}, 2*4096)
	sum := sha256.Sum256(image[:4096])
	running = cmdline.Cmdline{RootHash: hex.EncodeToString(sum[:]), RootBlocks: 1, Version: "1.0.0", Platform: "metal"}
	running.Text = "dodeka.root=" + running.RootHash + " dodeka.root.blocks=1 dodeka.platform=metal dodeka.version=1.0.0"
	return image, running
}

// uki is the least PE file with a section .cmdline.
func uki(commandLine string) []byte {
	le := binary.LittleEndian
	out := make([]byte, 1024)
	copy(out, "MZ")
	le.PutUint32(out[0x3c:], 0x40)
	copy(out[0x40:], "PE\x00\x00")
	le.PutUint16(out[0x44:], 0x8664) // machine
	le.PutUint16(out[0x46:], 1)      // sections
	section := out[0x58:]
	copy(section, ".cmdline")
	le.PutUint32(section[8:], uint32(len(commandLine)+1))
	le.PutUint32(section[16:], 512)
	le.PutUint32(section[20:], 512)
	copy(out[512:], commandLine)
	return out
}

func grubImages() (boot, core []byte) {
	boot = make([]byte, 512)
	boot[0], boot[1], boot[510], boot[511] = 0xeb, 0x63, 0x55, 0xaa
	core = bytes.Repeat([]byte{0x90}, 3000)
	binary.LittleEndian.PutUint16(core[blockListAt+10:], coreSegment)
	return boot, core
}

// medium writes what a boot medium and the root file system hold.
func medium(t *testing.T, fill byte) (Places, cmdline.Cmdline) {
	t.Helper()
	image, running := sealed(fill)
	boot, core := grubImages()
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"m/EFI/BOOT/BOOTX64.EFI": []byte("loader"), "m/EFI/systemd/systemd-bootx64.efi": []byte("loader"),
		"m/loader/loader.conf": []byte("timeout 0\n"), "m/grub/grub.cfg": []byte("boot\n"),
		"m/EFI/Linux/dodeka_1.0.0.efi": uki(running.Text), "m/dodeka/" + running.RootImageName(): image,
		"share/boot.img": boot, "share/core.img": core, "cmdline": []byte("BOOT_IMAGE=(uki)1+2 " + running.Text + "\n"),
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return Places{Medium: filepath.Join(dir, "m"), Share: filepath.Join(dir, "share"), Sys: filepath.Join(dir, "sys"),
		Cmdline: filepath.Join(dir, "cmdline")}, running
}

func sourceOf(t *testing.T, fill byte) source {
	t.Helper()
	places, running := medium(t, fill)
	from, err := findSource(places, running)
	if err != nil {
		t.Fatal(err)
	}
	return from
}

func diskFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, diskBytes)); err != nil {
		t.Fatal(err)
	}
	return path
}

// bootable checks a disk as firmware and stage1 would: sector 0, table, ESP, root hash.
func bootable(disk blockdevice.Storage, from source) error {
	sector := make([]byte, 512)
	if _, err := disk.ReadAt(sector, 0); err != nil {
		return err
	}
	if sector[510] != 0x55 || sector[450] != 0xee {
		return errors.New("blank")
	}
	table, err := partition.Read(disk)
	if err != nil {
		return err
	}
	esp, found := table.Find("EFI")
	if _, meta := table.Find("META"); !found || !meta {
		return errors.New("partitions are missing")
	}
	// The same files on a disk of the same size lie at the same places.
	again := blockdevice.NewRecorder(table.Bytes(esp), disk.SectorBytes())
	places, err := fat32.Write(context.Background(), again, fat32.Options{Label: espLabel}, from.files)
	if err != nil {
		return err
	}
	return verify(context.Background(), disk, &layout{table: table, esp: esp}, from, places)
}

func TestRunInstallsOntoAnEmptyDisk(t *testing.T) {
	places, running := medium(t, 1)
	path := diskFile(t)
	var messages []string
	request := Request{Disk: path, Places: places, Progress: func(m string) { messages = append(messages, m) }}
	if err := Run(context.Background(), request); err != nil {
		t.Fatal(err)
	}
	disk, err := blockdevice.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	from, _ := findSource(places, running)
	if err := bootable(disk, from); err != nil {
		t.Error(err)
	}
	table, _ := partition.Read(disk)
	bios, ok := table.Find("BIOS")
	sector := make([]byte, 512)
	_, _ = disk.ReadAt(sector, 0)
	if !ok || binary.LittleEndian.Uint64(sector[kernelSectorAt:]) != bios.First || !table.Healthy() {
		t.Errorf("BIOS boot: %v, %+v", ok, bios)
	}
	if len(messages) == 0 || messages[len(messages)-1] != "installed" {
		t.Errorf("progress: %v", messages)
	}
}

func TestRunRefuses(t *testing.T) {
	data := func(at int64, text string) func(*testing.T, string, *Request) {
		return func(t *testing.T, path string, _ *Request) {
			file, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = file.WriteAt([]byte(text), at)
			_ = file.Close()
		}
	}
	onMedium := func(name, content string) func(*testing.T, string, *Request) {
		return func(t *testing.T, _ string, r *Request) {
			matches, _ := filepath.Glob(filepath.Join(r.Places.Medium, name))
			if len(matches) != 1 || os.WriteFile(matches[0], []byte(content), 0o600) != nil {
				t.Fatal(name)
			}
		}
	}
	tests := []struct {
		name   string
		change func(t *testing.T, path string, r *Request)
		want   string
	}{
		{"a file system", data(0, "XFSB"), "holds data"},
		{"a backup table", data(diskBytes-512, "EFI PART"), "gpt"},
		{"unknown data", data(4000, "secret"), "nothing that is known"},
		{"a damaged root image", onMedium("dodeka/*.root", strings.Repeat("x", 8192)), "root hash does not match"},
		{"a UKI of another image", onMedium("EFI/Linux/*.efi", string(uki("other"))), "not what was booted"},
		{"a UKI that is none", onMedium("EFI/Linux/*.efi", "x"), "no PE file"},
		{"a medium without loader", func(_ *testing.T, _ string, r *Request) {
			_ = os.Remove(filepath.Join(r.Places.Medium, "loader/loader.conf"))
		}, "lacks"},
		{"a disk that is too small", func(_ *testing.T, path string, _ *Request) { _ = os.Truncate(path, 20*mib) }, "no room"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			places, _ := medium(t, 1)
			path := diskFile(t)
			request := Request{Disk: path, Places: places}
			tc.change(t, path, &request)
			before := digest(t, path)
			err := Run(context.Background(), request)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v", err)
			}
			if digest(t, path) != before {
				t.Error("the disk was changed")
			}
		})
	}
}

func digest(t *testing.T, path string) string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	hash := sha256.New()
	for _, at := range []int64{0, diskBytes - 2*mib} { // what lies between is holes
		_, _ = io.Copy(hash, io.NewSectionReader(file, at, 2*mib))
	}
	return string(hash.Sum(nil))
}

func TestWipeReplacesData(t *testing.T) {
	places, running := medium(t, 1)
	path := diskFile(t)
	for range 2 { // the second time onto a disk that was installed to
		if err := Run(context.Background(), Request{Disk: path, Wipe: true, Places: places}); err != nil {
			t.Fatal(err)
		}
	}
	disk, err := blockdevice.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	from, _ := findSource(places, running)
	if err := bootable(disk, from); err != nil {
		t.Error(err)
	}
}

func TestEveryPowerCutLeavesTheOldABlankOrTheNewDisk(t *testing.T) {
	older, newer := sourceOf(t, 1), sourceOf(t, 2)
	start := blockdevice.NewRecorder(diskBytes, 512)
	if _, err := write(context.Background(), start, older, func(string) {}); err != nil {
		t.Fatal(err)
	}
	start = start.Clone()
	disk := start.Clone()
	if _, err := write(context.Background(), disk, newer, func(string) {}); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for n := range disk.Writes() + 1 {
		for _, torn := range []int64{0, 512} {
			cut := disk.CutAfter(start, n, torn)
			oldErr, newErr := bootable(cut, older), bootable(cut, newer)
			switch {
			case newErr == nil:
				counts["new"]++
			case oldErr == nil:
				counts["old"]++
			case newErr.Error() == "blank":
				counts["blank"]++
			default:
				t.Fatalf("after %d of %d writes and %d bytes: %v; %v", n, disk.Writes(), torn, oldErr, newErr)
			}
		}
	}
	if counts["old"] == 0 || counts["blank"] == 0 || counts["new"] == 0 {
		t.Errorf("states: %v", counts)
	}
}

func TestACutInstallationNeedsNoLeaveToWipe(t *testing.T) {
	from := sourceOf(t, 1)
	start := blockdevice.NewRecorder(diskBytes, 512)
	disk := start.Clone()
	if _, err := write(context.Background(), disk, from, func(string) {}); err != nil {
		t.Fatal(err)
	}
	again := 0
	for n := range disk.Writes() + 1 {
		cut := disk.CutAfter(start, n, 0)
		err := refuseData(cut, Request{Disk: "disk"})
		complete := bootable(cut, from) == nil
		if complete == (err == nil) {
			t.Errorf("after %d of %d writes: complete %v, %v", n, disk.Writes(), complete, err)
		}
		if blank, _ := probe.Blank(cut, cut.Size()); err == nil && !blank {
			again++
		}
		if _, err := cut.WriteAt([]byte("XFSB"), 0); err != nil || !errors.Is(refuseData(cut, Request{}), ErrHasData) {
			t.Errorf("after %d writes a file system that came later is not seen: %v", n, err)
		}
	}
	if again == 0 {
		t.Error("no cut left anything behind")
	}
}

func TestInstallationWithoutGRUB(t *testing.T) {
	places, running := medium(t, 1)
	if err := os.Remove(filepath.Join(places.Medium, grubConfig)); err != nil {
		t.Fatal(err)
	}
	from, err := findSource(places, running)
	if err != nil {
		t.Fatal(err)
	}
	disk := blockdevice.NewRecorder(diskBytes, 512)
	table, err := write(context.Background(), disk, from, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, found := table.Find("BIOS"); found {
		t.Error("a BIOS boot partition without a configuration")
	}
	if err := bootable(disk, from); err != nil {
		t.Error(err)
	}
}

func TestArgumentsOfThisBootOnly(t *testing.T) {
	places, running := medium(t, 1)
	for _, tc := range []struct{ booted, want string }{
		{"initrd=initramfs-amd64.xz " + running.Text + " dodeka.config=http://10.0.2.2/x", ""},
		{strings.Replace(running.Text, " dodeka.platform=metal", "", 1) + " dodeka.platform=nocloud", "dodeka.platform=metal"},
	} {
		other, err := cmdline.Parse(tc.booted)
		if err != nil {
			t.Fatal(err)
		}
		from, err := findSource(places, other)
		if err != nil {
			t.Fatal(err)
		}
		if err := from.check(); (err == nil) != (tc.want == "") || (err != nil && !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%q: %v", tc.booted, err)
		}
	}
}

func FuzzCommandLineOf(f *testing.F) {
	f.Add(uki("a=b"))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = commandLineOf(bytes.NewReader(data)) })
}
