// SPDX-License-Identifier: Apache-2.0

// Package volumes makes, grows and mounts the system's own volumes: STATE (configuration, keys) and EPHEMERAL (/var).
// A partition that the table lacks is cleared, added, and gets a file system from the template that the factory ships,
// superblock last. One that was begun and not finished reads as blank and is made anew; one that holds anything else is
// never written to.
package volumes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/blockdevice"
	"dodeka/userland/internal/ext4"
	"dodeka/userland/internal/partition"
)

const (
	mib        = 1 << 20
	clearBytes = mib // of a new partition, before the table names it
)

// ErrOccupied is the refusal to overwrite what is neither blank nor the volume.
var ErrOccupied = errors.New("the partition holds something else")

// Volume is one row of the table below.
type Volume struct {
	Label      string
	Bytes      int64 // 0: all that is free, and more when the disk grows
	Template   string
	MountPoint string
	Flags      uintptr
}

// State and Ephemeral are the two that a system has.
var (
	State = Volume{
		Label: "STATE", Bytes: 100 * mib, Template: "state.ext4", MountPoint: "/system/state",
		Flags: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME,
	}
	// Containers run from EPHEMERAL, so it may hold programs.
	Ephemeral = Volume{
		Label: "EPHEMERAL", Template: "ephemeral.ext4", MountPoint: "/var",
		Flags: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOATIME,
	}
)

// Keeper has what the volumes need of the system; tests have others.
type Keeper struct {
	Sys       fs.FS
	Dev       string // "/dev"
	Templates string
	Mount     func(device, target string, flags uintptr) error
	Grow      func(dir string, bytes int64) error
}

// System is the Keeper of the running system.
func System() *Keeper {
	return &Keeper{
		Sys: os.DirFS("/sys"), Dev: "/dev", Templates: "/usr/share/dodeka/volumes", Grow: ext4.Grow,
		Mount: func(device, target string, flags uintptr) error {
			return unix.Mount(device, target, "ext4", flags, "")
		},
	}
}

// EnsureState makes STATE on a disk ("/dev/sda") unless it is there, mounts it, and returns where.
func EnsureState(ctx context.Context, disk string) (string, error) {
	return System().Ensure(ctx, disk, State)
}

// EnsureEphemeral does the same for EPHEMERAL, and grows it to what the disk has.
func EnsureEphemeral(ctx context.Context, disk string) (string, error) {
	return System().Ensure(ctx, disk, Ephemeral)
}

// MountState mounts STATE only when the disk has it already: fs.ErrNotExist when it has none, or one that was never
// finished. This is for looking for a configuration, before it is decided that the disk shall be used.
func MountState(ctx context.Context, disk string) (string, error) {
	return System().MountExisting(ctx, disk, State)
}

// MountExisting mounts the volume when it is whole.
func (k *Keeper) MountExisting(ctx context.Context, disk string, v Volume) (string, error) {
	device, err := blockdevice.Open(disk)
	if err != nil {
		return "", err
	}
	table, err := partition.Read(device)
	_ = device.Close()
	if errors.Is(err, partition.ErrNoTable) {
		return "", fmt.Errorf("%s: %w", disk, fs.ErrNotExist)
	}
	if err != nil {
		return "", err
	}
	p, ok := table.Find(v.Label)
	if !ok {
		return "", fmt.Errorf("%s on %s: %w", v.Label, disk, fs.ErrNotExist)
	}
	node := k.node(disk, p)
	made, err := inspect(node, v)
	if err == nil && !made {
		err = fmt.Errorf("%s on %s was never finished: %w", v.Label, disk, fs.ErrNotExist)
	}
	if err != nil {
		return "", err
	}
	return v.MountPoint, k.mount(node, v, table.Bytes(p))
}

// Ensure is idempotent, and goes on where a power cut ended it.
func (k *Keeper) Ensure(ctx context.Context, disk string, v Volume) (string, error) {
	p, bytes, err := k.ensurePartition(disk, v)
	if err != nil {
		return "", fmt.Errorf("partition %s on %s: %w", v.Label, disk, err)
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	node := k.node(disk, p)
	if err := partition.WaitForNode(node); err != nil {
		return "", err
	}
	made, err := inspect(node, v)
	if err != nil {
		return "", err
	}
	if !made {
		if err := k.create(node, v); err != nil {
			return "", fmt.Errorf("make %s on %s: %w", v.Label, node, err)
		}
	}
	return v.MountPoint, k.mount(node, v, bytes)
}

// ensurePartition adds the partition or lets it grow, repairs the table, and tells the kernel.
func (k *Keeper) ensurePartition(disk string, v Volume) (partition.Partition, int64, error) {
	device, err := blockdevice.OpenWritable(disk)
	if err != nil {
		return partition.Partition{}, 0, err
	}
	defer device.Close()
	table, err := changeTable(device, v)
	if err != nil {
		return partition.Partition{}, 0, err
	}
	p, _ := table.Find(v.Label)
	if device.IsBlock() {
		err = table.Tell(device, k.Sys, diskName(disk))
	}
	return p, table.Bytes(p), err
}

// inspect tells whether the volume is whole; false when it is blank. Anything else is an error.
func inspect(node string, v Volume) (bool, error) {
	device, err := blockdevice.Open(node)
	if err != nil {
		return false, err
	}
	defer device.Close()
	super, err := ext4.ReadSuperblock(device)
	if errors.Is(err, ext4.ErrNone) {
		blank, err := ext4.Blank(device)
		if err == nil && !blank {
			err = fmt.Errorf("%s (%s): %w than a file system made here", v.Label, node, ErrOccupied)
		}
		return false, err
	}
	switch {
	case err != nil:
		return false, fmt.Errorf("%s (%s): %w", v.Label, node, err)
	case !super.ChecksumOK:
		return false, fmt.Errorf("%s (%s): the superblock is damaged; reset the partition to lose what it holds", v.Label, node)
	case super.Label != v.Label:
		return false, fmt.Errorf("%s (%s): %w: a file system with the label %q", v.Label, node, ErrOccupied, super.Label)
	}
	return true, nil
}

func (k *Keeper) create(node string, v Volume) error {
	template, err := os.Open(path.Join(k.Templates, v.Template))
	if err != nil {
		return err
	}
	defer template.Close()
	device, err := blockdevice.OpenExclusive(node)
	if err != nil {
		return err
	}
	return errors.Join(ext4.Create(device, template, ext4.NewIdentity(v.Label)), device.Close())
}

func (k *Keeper) mount(node string, v Volume, bytes int64) error {
	if err := k.Mount(node, v.MountPoint, v.Flags); err != nil && !isMounted(node, v.MountPoint) {
		return fmt.Errorf("mount %s on %s: %w", node, v.MountPoint, err)
	}
	return k.Grow(v.MountPoint, bytes)
}

// isMounted tells why mounting was refused: mounting the same thing twice is fine.
func isMounted(node, target string) bool {
	var device, mounted unix.Stat_t
	return unix.Stat(node, &device) == nil && unix.Stat(target, &mounted) == nil && device.Rdev == mounted.Dev
}

func (k *Keeper) node(disk string, p partition.Partition) string {
	return filepath.Join(k.Dev, partition.DeviceName(diskName(disk), p.Number))
}

func diskName(device string) string {
	if resolved, err := filepath.EvalSymlinks(device); err == nil {
		device = resolved
	}
	return filepath.Base(device)
}
