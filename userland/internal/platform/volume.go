// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/probe"
	"dodeka/userland/internal/sysfs"
)

// mountable are the file systems of media that carry metadata. Others would let a medium choose which parser of the
// kernel it attacks.
var mountable = []string{"iso9660", "vfat"}

// Media opens volumes on this machine's disks, sticks and CDs.
type Media struct {
	Sys string // /sys
	Dev string // /dev
	Run string // where a directory for the mount can be made, /run/dodeka
}

// Open is an Options.OpenVolume. Of several that fit, the first that can be mounted is taken. Nothing is left when ctx has
// ended.
func (m Media) Open(ctx context.Context, query VolumeQuery) (Volume, error) {
	var failed []error
	for _, block := range sysfs.Blocks(os.DirFS(m.Sys)) {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		device := filepath.Join(m.Dev, block.Name)
		kind, fits := match(device, query)
		if !fits {
			continue
		}
		volume, err := m.mount(device, kind)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", block.Name, err))
			continue
		}
		if query.File == "" {
			return volume, nil
		}
		if _, err := volume.Stat(query.File); err == nil {
			return volume, nil
		}
		if err := volume.Close(); err != nil {
			return nil, err
		}
	}
	if len(failed) > 0 {
		return nil, errors.Join(failed...)
	}
	return nil, fs.ErrNotExist
}

// match reads the signatures of a device. A drive without a medium does not fit.
func match(device string, query VolumeQuery) (kind string, fits bool) {
	file, err := os.Open(device)
	if err != nil {
		return "", false
	}
	defer file.Close()
	size, err := file.Seek(0, 2)
	if err != nil || size == 0 {
		return "", false
	}
	findings, err := probe.Identify(file, size)
	if err != nil {
		return "", false
	}
	for _, f := range findings {
		labelled := slices.ContainsFunc(query.Labels, func(label string) bool { return strings.EqualFold(label, strings.TrimSpace(f.Label)) })
		if slices.Contains(mountable, f.Name) && (labelled || len(query.Labels) == 0 && query.File != "") {
			return f.Name, true
		}
	}
	return "", false
}

// mounted is a volume that is unmounted when it is closed.
type mounted struct {
	fs.StatFS
	root *os.Root
	dir  string
}

func (m Media) mount(device, kind string) (Volume, error) {
	dir, err := os.MkdirTemp(m.Run, "volume-")
	if err != nil {
		return nil, err
	}
	const flags = unix.MS_RDONLY | unix.MS_NODEV | unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NOATIME
	if err := unix.Mount(device, dir, kind, flags, ""); err != nil {
		return nil, errors.Join(fmt.Errorf("mount %s: %w", kind, err), os.Remove(dir))
	}
	root, err := os.OpenRoot(dir) // links of the medium cannot lead out of it
	if err != nil {
		return nil, errors.Join(err, unix.Unmount(dir, 0), os.Remove(dir))
	}
	return &mounted{root.FS().(fs.StatFS), root, dir}, nil
}

func (v *mounted) Close() error {
	if err := errors.Join(v.root.Close(), unix.Unmount(v.dir, 0)); err != nil {
		return err
	}
	return os.Remove(v.dir)
}

// DMI is an Options.SMBIOS that reads below a directory such as /sys/class/dmi/id.
func DMI(dir string) func(field string) string {
	return func(field string) string {
		if field != filepath.Base(field) {
			return ""
		}
		data, err := os.ReadFile(filepath.Join(dir, field))
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(data))
	}
}
