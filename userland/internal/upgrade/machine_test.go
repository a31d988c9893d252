// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"dodeka/userland/internal/bootentry"
	"dodeka/userland/internal/cmdline"
	"dodeka/userland/internal/ukifile/testuki"
)

const (
	old  = "dodeka_1.0.0"
	next = "dodeka_1.1.0_0123456789ab"
)

// sealed is a root image of one block: its own digest is the root hash. The other two are superblock and tree.
func sealed(fill byte) (image []byte, hash string) {
	image = bytes.Repeat([]byte{fill}, 2*4096)
	sum := sha256.Sum256(image[:4096])
	return image, hex.EncodeToString(sum[:])
}

func commandLine(hash, version string) string {
	return "dodeka.root=" + hash + " dodeka.root.blocks=1 dodeka.platform=metal dodeka.version=" + version
}

func padded(text string, length int) string { return text + strings.Repeat("#", length-len(text)) }

// machine is an ESP with one version, started by BIOS.
func machine(t *testing.T) Request {
	t.Helper()
	image, hash := sealed(1)
	dir := t.TempDir()
	for name, content := range map[string]string{
		"loader/loader.conf":    padded("default "+old+".efi\n", 512),
		"grub/grubenv":          padded("# GRUB Environment Block\ndodeka_entry="+old+"\ndodeka_next=\n", 1024),
		"grub/grub.cfg":         "selector",
		bootentry.Commands(old): "old", bootentry.UKI(old): string(testuki.Make(commandLine(hash, "1.0.0"))),
		"dodeka/" + hash + ".root": string(image),
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	booted, err := cmdline.Parse(commandLine(hash, "1.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	return Request{Loaders: bootentry.Loaders{ESP: dir}, Running: old, Booted: booted, Progress: func(string) {}, Files: version(2, "1.1.0")}
}

func file(path string, content []byte) File {
	sum := sha256.Sum256(content)
	return File{
		Path: path, Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: int64(len(content)),
		Open: func(context.Context) io.Reader { return iotest.HalfReader(bytes.NewReader(content)) },
	}
}

// version is what an image brings.
func version(fill byte, number string) []File {
	image, hash := sealed(fill)
	return []File{
		file(bootentry.Commands(next), []byte("commands")), file(bootentry.UKI(next), testuki.Make(commandLine(hash, number))),
		file("dodeka/"+hash+".root", image),
	}
}

func listing(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
