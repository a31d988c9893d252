// SPDX-License-Identifier: Apache-2.0

package install

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"dodeka/userland/internal/bootentry"
	"dodeka/userland/internal/cmdline"
	"dodeka/userland/internal/fat32"
	"dodeka/userland/internal/ukifile"
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
var bootPaths = []string{"EFI/BOOT/BOOTX64.EFI", "EFI/systemd/systemd-bootx64.efi"}

// grubConfig is missing where GRUB would change the kernel's arguments.
const grubConfig = "grub/grub.cfg"

// findSource opens nothing yet but small files. Entry is the one that runs, empty where nobody told: then there is one.
func findSource(places Places, running cmdline.Cmdline, entry string) (source, error) {
	if entry == "" {
		only, err := onlyEntry(places.Medium)
		if err != nil {
			return source{}, err
		}
		entry = only
	}
	s := source{running: running, root: "dodeka/" + running.RootImageName(), uki: bootentry.UKI(entry)}
	for _, name := range append(slices.Clone(bootPaths), s.uki, s.root) {
		if err := s.add(places.Medium, name); err != nil {
			return source{}, lacking(err)
		}
	}
	if err := s.addChoice(places.Medium, bootentry.LoaderConf, entry); err != nil {
		return source{}, lacking(err)
	}
	switch err := s.add(places.Medium, grubConfig); {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return source{}, err
	}
	return s, s.addGRUB(places, entry)
}

func lacking(err error) error {
	return fmt.Errorf("the boot medium lacks what an installation copies: %w", err)
}

// onlyEntry is that of a medium that brings one version.
func onlyEntry(medium string) (string, error) {
	entries, err := bootentry.List(medium)
	if err != nil {
		return "", lacking(err)
	}
	if len(entries) != 1 {
		return "", fmt.Errorf("the boot medium has no version, or two versions or more, and the boot loader did not tell which one runs: %q", entries)
	}
	return entries[0], nil
}

// addGRUB adds what BIOS needs.
func (s *source) addGRUB(places Places, entry string) error {
	if err := errors.Join(s.add(places.Medium, bootentry.Commands(entry)), s.addChoice(places.Medium, bootentry.GrubEnvironment, entry)); err != nil {
		return lacking(err)
	}
	var err error
	if s.bootImg, err = readSmall(path.Join(places.Share, "boot.img")); err != nil {
		return err
	}
	s.coreImg, err = readSmall(path.Join(places.Share, "core.img"))
	return err
}

// addChoice adds a loader's file that says what boots: on the new disk the version that is put there.
func (s *source) addChoice(dir, name, entry string) error {
	content, err := os.ReadFile(path.Join(dir, name))
	if err != nil {
		return err
	}
	if content, err = bootentry.Choose(name, content, entry); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	s.files = append(s.files, fat32.File{
		Path: name, Size: int64(len(content)), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil },
	})
	return nil
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
	text, err := ukifile.CommandLine(at)
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
