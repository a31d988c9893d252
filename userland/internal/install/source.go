// SPDX-License-Identifier: Apache-2.0

package install

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"dodeka/userland/internal/cmdline"
	"dodeka/userland/internal/fat32"
	"dodeka/userland/internal/verityhash"
)

const maxBootFile = 256 << 20 // bytes; a UKI has some 15 MB

// source is what an installation copies, all of it from the medium or the initramfs that was booted.
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
	"grub/grub.cfg",
}

// findSource opens nothing yet but the small files of BIOS boot. places.RootDevice holds the root image where no medium
// does.
func findSource(places Places, running cmdline.Cmdline) (source, error) {
	dir, embedded := places.Medium, false
	if _, err := os.Stat(path.Join(dir, bootPaths[0])); errors.Is(err, fs.ErrNotExist) {
		dir, embedded = places.Embedded, true
	}
	s := source{running: running, root: "dodeka/" + running.RootImageName(), uki: "EFI/Linux/dodeka_" + running.Version + ".efi"}
	for _, name := range append(append([]string(nil), bootPaths...), s.uki) {
		if err := s.add(dir, name); err != nil {
			return source{}, fmt.Errorf("the boot medium lacks what an installation copies: %w", err)
		}
	}
	var err error
	if embedded {
		err = s.addRootDevice(places.RootDevice)
	} else {
		err = s.add(dir, s.root)
	}
	if err != nil {
		return source{}, err
	}
	if s.bootImg, err = readSmall(path.Join(places.Share, "boot.img")); err != nil {
		return source{}, err
	}
	if s.coreImg, err = readSmall(path.Join(places.Share, "core.img")); err != nil {
		return source{}, err
	}
	return s, nil
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

// addRootDevice takes the root image out of the loop device: the file in the initramfs has no name any more.
func (s *source) addRootDevice(find func() (string, error)) error {
	device, err := find()
	if err != nil {
		return err
	}
	opened, err := os.Open(device)
	if err != nil {
		return err
	}
	defer opened.Close()
	size, err := opened.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	s.files = append(s.files, fat32.File{Path: s.root, Size: size, Open: func() (io.ReadCloser, error) { return os.Open(device) }})
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
	if found := cmdline.Normalise(text); found != s.running.Text {
		return fmt.Errorf("%s is not what was booted: its command line is %q", f.Path, found)
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

// loopBelow finds the loop device that the verified root lies on: /sys/block/dm-0/slaves/loop0.
func loopBelow(sys string) (string, error) {
	mappers, _ := fs.Glob(os.DirFS(sys), "block/dm-*/dm/name")
	for _, file := range mappers {
		name, _ := os.ReadFile(path.Join(sys, file))
		if strings.TrimSpace(string(name)) != "dodeka-root" {
			continue
		}
		slaves, _ := os.ReadDir(path.Join(sys, path.Dir(path.Dir(file)), "slaves"))
		if len(slaves) == 1 {
			return "/dev/" + slaves[0].Name(), nil
		}
	}
	return "", errors.New("the device below the root was not found")
}
