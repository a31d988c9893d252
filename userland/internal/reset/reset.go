// SPDX-License-Identifier: Apache-2.0

// Package reset wipes the system's partitions, other disks, or the whole system disk.
// The plan is written to META first and removed last: a reset that a power cut ended is finished by Resume at the next
// boot, before anything is mounted. A wiped STATE or EPHEMERAL keeps its place in the partition table and reads as blank,
// so volumes makes it anew. Of a whole system disk sector 0 goes first, in one write: from then on firmware passes it over.
// Limit: what a disk does not discard or overwrite can be read with the right tools; STATE is overwritten as a whole,
// EPHEMERAL and user disks at their ends and discarded in between.
package reset

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/blockdevice"
	"dodeka/userland/internal/disks"
	"dodeka/userland/internal/metastore"
	"dodeka/userland/internal/partition"
)

// ErrBusy says that a partition is still mounted. The plan is in META: reboot, and Resume finishes it.
var ErrBusy = errors.New("in use; the reset will be finished at the next boot")

// Request says what goes. Without Partitions, Disks and WholeDisk it is refused.
type Request struct {
	Partitions []string // of STATE, EPHEMERAL, META
	Disks      []string // other disks, by path
	WholeDisk  bool     // the system disk with all that is on it, boot loader included
	SystemDisk string   // "/dev/sda"; empty: the machine has none
	Meta       *metastore.Store
	Progress   func(message string)

	// ListDisks and Dev are for tests: the zero values are right on the running system.
	ListDisks func() ([]disks.Disk, error)
	Dev       string
}

// Run wipes. Call it after everything was unmounted; when something could not be, ErrBusy comes back.
func Run(ctx context.Context, r Request) error {
	r.complete()
	p := plan{Partitions: r.Partitions, Whole: r.WholeDisk}
	all, err := r.ListDisks()
	if err != nil {
		return err
	}
	for _, name := range r.Disks {
		stable, err := r.userDisk(all, name)
		if err != nil {
			return err
		}
		p.Disks = append(p.Disks, stable)
	}
	if err := p.check(); err != nil {
		return err
	}
	if r.SystemDisk == "" && (p.Whole || len(p.Partitions) > 0) {
		return errors.New("the machine has no system disk whose partitions could be wiped")
	}
	if r.Meta != nil {
		text, err := p.encode()
		if err != nil {
			return err
		}
		if err := r.Meta.Set(metastore.ResetInProgress, text); err != nil {
			return err
		}
	}
	return r.perform(ctx, p)
}

// Resumed is what Resume had to do.
type Resumed int

const (
	// Nothing was begun before.
	Nothing Resumed = iota
	// Finished says that the boot can go on.
	Finished
	// DiskGone says that the whole system disk was wiped: the caller reboots at once, as what runs was read from there.
	DiskGone
)

// Resume finishes a reset that was begun. Call it before STATE is mounted. A plan that cannot be read is dropped: it must
// not keep the machine from booting for ever.
func Resume(ctx context.Context, r Request) (Resumed, error) {
	r.complete()
	if r.Meta == nil {
		return Nothing, nil
	}
	text, ok := r.Meta.Get(metastore.ResetInProgress)
	if !ok {
		return Nothing, nil
	}
	p, err := decode(text)
	if err != nil {
		return Nothing, errors.Join(err, r.Meta.Delete(metastore.ResetInProgress))
	}
	if err := r.perform(ctx, p); err != nil {
		return Nothing, err
	}
	if p.Whole {
		return DiskGone, nil
	}
	return Finished, nil
}

func (r *Request) complete() {
	if r.Progress == nil {
		r.Progress = func(string) {}
	}
	if r.Dev == "" {
		r.Dev = "/dev"
	}
	if r.ListDisks == nil {
		r.ListDisks = func() ([]disks.Disk, error) { return disks.List("/sys") }
	}
}

// userDisk checks that a disk may go and returns a name that outlives a reboot.
func (r *Request) userDisk(all []disks.Disk, name string) (string, error) {
	d, err := disks.Select(all, disks.Selector{Path: name}, "", "")
	if err != nil {
		return "", err
	}
	if d.DevPath == r.SystemDisk {
		return "", fmt.Errorf("%s is the system disk; ask for the system disk to be wiped instead", name)
	}
	device, err := blockdevice.OpenExclusive(r.device(d))
	if err != nil {
		return "", fmt.Errorf("%s is in use: %w", name, err)
	}
	_ = device.Close()
	for _, stable := range d.Symlinks {
		if !slices.ContainsFunc(all, func(o disks.Disk) bool { return o.Name != d.Name && slices.Contains(o.Symlinks, stable) }) {
			return stable, nil
		}
	}
	return d.DevPath, nil
}

func (r *Request) perform(ctx context.Context, p plan) error {
	for _, label := range []string{"STATE", "EPHEMERAL"} {
		if !p.has(label) {
			continue
		}
		if err := r.wipePartition(label); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	for _, name := range p.Disks {
		if err := r.wipeUserDisk(name); err != nil {
			return err
		}
	}
	switch {
	case p.Whole:
		return r.wipeSystemDisk()
	case p.has("META"):
		return r.wipeMeta()
	case r.Meta != nil:
		return r.Meta.Delete(metastore.ResetInProgress)
	}
	return nil
}

// wipeMeta takes the values out of memory as well: the next that is set would bring them back, the plan among them.
func (r *Request) wipeMeta() error {
	if err := r.wipePartition("META"); err != nil {
		return err
	}
	if r.Meta != nil {
		r.Meta.Forget()
	}
	return nil
}

// wipePartition is done when there is no such partition.
func (r *Request) wipePartition(label string) error {
	disk, err := blockdevice.Open(r.SystemDisk)
	if err != nil {
		return err
	}
	defer disk.Close()
	table, err := partition.Read(disk)
	if errors.Is(err, partition.ErrNoTable) {
		return nil
	}
	if err != nil {
		return err
	}
	p, ok := table.Find(label)
	if !ok {
		return nil
	}
	r.Progress("wiping " + label)
	if !disk.IsBlock() {
		return r.wipeSection(table, p)
	}
	node := filepath.Join(r.Dev, partition.DeviceName(filepath.Base(r.SystemDisk), p.Number))
	device, err := blockdevice.OpenExclusive(node)
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("%s (%s): %w", label, node, ErrBusy)
	}
	if err != nil {
		return err
	}
	return errors.Join(wipe(device, device), device.Close())
}

// wipeSection is for a disk in an image file, which has no device for its partitions.
func (r *Request) wipeSection(table *partition.Table, p partition.Partition) error {
	disk, err := blockdevice.OpenWritable(r.SystemDisk)
	if err != nil {
		return err
	}
	section, err := blockdevice.NewSection(disk, table.Offset(p), table.Bytes(p))
	if err == nil {
		err = wipe(section, nil)
	}
	return errors.Join(err, disk.Close())
}

// wipeUserDisk tells nobody when the disk is gone: it cannot be wiped, and it is no reason to keep the machine down.
func (r *Request) wipeUserDisk(name string) error {
	all, err := r.ListDisks()
	if err != nil {
		return err
	}
	d, err := disks.Select(all, disks.Selector{Path: name}, "", "")
	if err != nil {
		r.Progress("skipping " + name + ": " + err.Error())
		return nil
	}
	if d.DevPath == r.SystemDisk {
		return fmt.Errorf("%s is the system disk now", name)
	}
	r.Progress("wiping " + d.DevPath)
	device, err := blockdevice.OpenExclusive(r.device(d))
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("%s: %w", d.DevPath, ErrBusy)
	}
	if err != nil {
		return err
	}
	return errors.Join(clearPartitions(device), partition.Erase(device), wipe(device, device), device.Close())
}

// wipeSystemDisk leaves the files of the running system for last; the caller reboots or powers off at once.
func (r *Request) wipeSystemDisk() error {
	r.Progress("wiping the system disk")
	disk, err := blockdevice.OpenWritable(r.SystemDisk)
	if err != nil {
		return err
	}
	return errors.Join(wipeWhole(disk), disk.Close())
}

func (r *Request) device(d disks.Disk) string {
	if r.Dev == "/dev" {
		return d.DevPath
	}
	return filepath.Join(r.Dev, d.Name)
}
