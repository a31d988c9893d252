// SPDX-License-Identifier: Apache-2.0

package install

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"dodeka/userland/internal/cmdline"
	"dodeka/userland/internal/fat32"
	"dodeka/userland/internal/verityhash"
)

const maxBootFile = 256 << 20 // bytes; a UKI has some 15 MB

// source is what an installation copies, all of it from the medium that was booted, or from what the initramfs carried in
// its place.
type source struct {
	files   []fat32.File
	root    string // path of the root image among the files
	uki     string // path of the UKI
	running cmdline.Cmdline
	bootImg []byte // GRUB's boot sector; nil: the disk boots by UEFI only
	coreImg []byte
}

// bootPaths are the same on every medium, see builder/artifacts/boot-files.ts.
var bootPaths = []string{
	"EFI/BOOT/BOOTX64.EFI",
	"EFI/systemd/systemd-bootx64.efi",
	"loader/loader.conf",
}

// grubConfig is missing where GRUB would change the kernel's arguments.
const grubConfig = "grub/grub.cfg"

// findSource opens nothing yet but the small files of BIOS boot.
func findSource(places Places, running cmdline.Cmdline) (source, error) {
	s := source{running: running, root: "dodeka/" + running.RootImageName(), uki: "EFI/Linux/dodeka_" + running.Version + ".efi"}
	for _, name := range append(append([]string(nil), bootPaths...), s.uki, s.root) {
		if err := s.add(places.Medium, name); err != nil {
			return source{}, fmt.Errorf("the boot medium lacks what an installation copies: %w", err)
		}
	}
	switch err := s.add(places.Medium, grubConfig); {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return source{}, err
	}
	var err error
	if s.bootImg, err = readSmall(path.Join(places.Share, "boot.img")); err != nil {
		return source{}, err
	}
	s.coreImg, err = readSmall(path.Join(places.Share, "core.img"))
	return s, err
}

func (s *source) add(dir, name string) error {
	info, err := os.Stat(path.Join(dir, name))
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", name)
	}
	s.files = append(s.files, fat32.File{
		Path: name, Size: info.Size(), Open: func() (io.ReadCloser, error) { return os.Open(path.Join(dir, name)) },
	})
	return nil
}

func (s *source) bytes() (total int64) {
	for _, f := range s.files {
		total += f.Size
	}
	return total
}

func (s *source) file(name string) fat32.File {
	for _, f := range s.files {
		if f.Path == name {
			return f
		}
	}
	return fat32.File{}
}

// check reads the source before anything on the disk is given up: the root image against the hash that was booted, and
// the UKI's command line against the running one. Only then is it the same system.
func (s *source) check() error {
	root, err := s.file(s.root).Open()
	if err != nil {
		return err
	}
	defer root.Close()
	if err := verityhash.Check(root, s.running.RootBlocks, s.running.RootHash); err != nil {
		return fmt.Errorf("root image: %w", err)
	}
	return s.checkUKI()
}

func (s *source) checkUKI() error {
	f := s.file(s.uki)
	if f.Size > maxBootFile {
		return fmt.Errorf("%s has %d bytes", f.Path, f.Size)
	}
	opened, err := f.Open()
	if err != nil {
		return err
	}
	defer opened.Close()
	at, ok := opened.(io.ReaderAt)
	if !ok {
		return fmt.Errorf("BUG: %s cannot be read at an offset", f.Path)
	}
	text, err := commandLineOf(at)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	if err := s.checkArguments(text); err != nil {
		return fmt.Errorf("%s is not what was booted: %w", f.Path, err)
	}
	return nil
}

// checkArguments wants every argument of the UKI among those of this boot. The boot may have had more: loaders of PXE
// say where the initramfs is, people where the configuration is. Those end with it.
func (s *source) checkArguments(text string) error {
	if _, err := cmdline.Parse(text); err != nil {
		return err
	}
	booted := strings.Fields(s.running.Text)
	for _, argument := range strings.Fields(cmdline.Normalise(text)) {
		if !slices.Contains(booted, argument) {
			return fmt.Errorf("this boot has no argument %q", argument)
		}
	}
	return nil
}

func readSmall(name string) ([]byte, error) {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, 1<<20+1))
	if err == nil && len(content) > 1<<20 {
		err = fmt.Errorf("%s is over a MiB", name)
	}
	return content, err
}
