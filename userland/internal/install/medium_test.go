// SPDX-License-Identifier: Apache-2.0

package install

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dodeka/userland/internal/cmdline"
	"dodeka/userland/internal/ukifile/testuki"
)

// sealed is a root image of one block: its own digest is the root hash.
func sealed(fill byte) (image []byte, running cmdline.Cmdline) {
	image = bytes.Repeat([]byte{fill}, 2*4096)
	sum := sha256.Sum256(image[:4096])
	running = cmdline.Cmdline{RootHash: hex.EncodeToString(sum[:]), RootBlocks: 1, Version: "1.0.0", Platform: "metal"}
	running.Text = "dodeka.root=" + running.RootHash + " dodeka.root.blocks=1 dodeka.platform=metal dodeka.version=1.0.0"
	return image, running
}

func padded(text string, length int) []byte {
	return []byte(text + strings.Repeat("#", length-len(text)))
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
		"m/loader/loader.conf": padded("timeout 0\ndefault dodeka_1.0.0.efi\n", 512), "m/grub/grub.cfg": []byte("boot\n"),
		"m/grub/grubenv":          padded("# GRUB Environment Block\ndodeka_entry=dodeka_1.0.0\ndodeka_next=\n", 1024),
		"m/grub/dodeka_1.0.0.cfg": []byte("linux\n"), "m/EFI/Linux/dodeka_1.0.0.efi": testuki.Make(running.Text), "m/dodeka/" + running.RootImageName(): image,
		"share/boot.img": boot, "share/core.img": core, "cmdline": []byte("BOOT_IMAGE=(uki)1+2 " + running.Text + "\n"),
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return Places{Firmware: filepath.Join(dir, "none"), Medium: filepath.Join(dir, "m"), Share: filepath.Join(dir, "share"), Sys: filepath.Join(dir, "sys"),
		Cmdline: filepath.Join(dir, "cmdline")}, running
}

func sourceOf(t *testing.T, fill byte) source {
	t.Helper()
	places, running := medium(t, fill)
	from, err := findSource(places, running, "")
	if err != nil {
		t.Fatal(err)
	}
	return from
}
