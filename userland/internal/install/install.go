// SPDX-License-Identifier: Apache-2.0

// Package install puts the running system onto a disk: partition table, ESP with boot loader, UKI and root image, BIOS
// boot sector, empty META. STATE and EPHEMERAL are made by volumes afterwards.
// Everything is read and checked before the disk is touched. Then sector 0 is cleared, which firmware takes for an empty
// disk; it gets its content last, after everything was flushed and read back. So a power cut leaves the old disk, one
// that firmware passes over and that can be installed onto again, or the new one, and never anything in between.
package install

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"dodeka/userland/internal/blockdevice"
	"dodeka/userland/internal/bootentry"
	"dodeka/userland/internal/cmdline"
	"dodeka/userland/internal/fat32"
	"dodeka/userland/internal/partition"
	"dodeka/userland/internal/probe"
)

const (
	mib       = 1 << 20
	usualESP  = 512 * mib
	biosBytes = mib
	metaBytes = mib
	espLabel  = "DODEKA"
)

// ErrHasData is the refusal of a disk that is not empty, unless Wipe was asked for.
var ErrHasData = errors.New("the disk holds data")

// Request names the disk and says whether what it holds may be lost.
type Request struct {
	Disk     string // "/dev/sda"
	Wipe     bool
	Progress func(message string)
	Places   Places // the zero value is right on the running system
}

// Places are where the installation finds itself; tests have others.
type Places struct {
	Medium  string // where stage1 mounted the medium, or what the initramfs carried in its place
	Share   string // boot.img and core.img
	Sys     string
	Cmdline string // file
	// Firmware is the folder of UEFI's variables; where it is not there, BIOS started the machine.
	Firmware string
}

func (p *Places) complete() {
	set := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	set(&p.Medium, "/run/dodeka/media")
	set(&p.Share, "/usr/share/dodeka/boot")
	set(&p.Sys, "/sys")
	set(&p.Cmdline, "/proc/cmdline")
	set(&p.Firmware, bootentry.Variables)
}

// Run returns when the disk boots. After an error before "erase" the disk is as it was.
func Run(ctx context.Context, r Request) error {
	r.Places.complete()
	if r.Progress == nil {
		r.Progress = func(string) {}
	}
	text, err := os.ReadFile(r.Places.Cmdline)
	if err != nil {
		return err
	}
	running, err := cmdline.Parse(string(text))
	if err != nil {
		return err
	}
	entry, err := bootentry.Running(string(text), bootentry.Firmware(r.Places.Firmware))
	if err != nil && !errors.Is(err, bootentry.ErrUnknown) {
		return err
	}
	from, err := findSource(r.Places, running, entry)
	if err != nil {
		return err
	}
	disk, err := blockdevice.OpenExclusive(r.Disk)
	if err != nil {
		return fmt.Errorf("open %s (the disk may be in use): %w", r.Disk, err)
	}
	defer disk.Close()
	if err := refuseData(disk, r); err != nil {
		return err
	}
	r.Progress("checking the boot medium")
	if err := from.check(); err != nil {
		return err
	}
	table, err := write(ctx, disk, from, r.Progress)
	if err != nil {
		return err
	}
	if disk.IsBlock() {
		if err := table.Tell(disk, os.DirFS(r.Places.Sys), diskName(r.Disk)); err != nil {
			return err
		}
	}
	r.Progress("installed")
	return nil
}

func refuseData(disk blockdevice.Storage, r Request) error {
	if r.Wipe {
		return nil
	}
	found, err := probe.Identify(disk, disk.Size())
	if err != nil {
		return err
	}
	if again, err := isUnfinished(disk, found); again || err != nil {
		return err
	}
	if len(found) > 0 {
		return fmt.Errorf("%w: %s has %s; ask for the disk to be wiped (machine.install.wipe)", ErrHasData, r.Disk, probe.Describe(found))
	}
	blank, err := probe.Blank(disk, disk.Size())
	if err == nil && !blank {
		err = fmt.Errorf("%w: %s is not empty and holds nothing that is known; ask for the disk to be wiped (machine.install.wipe)", ErrHasData, r.Disk)
	}
	return err
}

// write is Run without the kernel: it works on any storage.
func write(ctx context.Context, disk verified, from source, progress func(string)) (*partition.Table, error) {
	plan, err := planLayout(disk, from)
	if err != nil {
		return nil, err
	}
	progress("erasing the old partition table")
	if err := erase(disk); err != nil {
		return nil, err
	}
	if d, ok := disk.(*blockdevice.Device); ok && d.IsBlock() {
		_ = d.Discard(0, d.Size()) // a hint only; many disks cannot
	}
	places, err := writeESP(ctx, disk, plan, from, progress)
	if err != nil {
		return nil, err
	}
	if err := writeSmall(disk, plan, from); err != nil {
		return nil, err
	}
	progress("reading back")
	if err := disk.DropCache(); err != nil {
		return nil, err
	}
	if err := verify(ctx, disk, plan, from, places); err != nil {
		return nil, err
	}
	progress("writing the partition table")
	return plan.table, plan.table.Write(disk)
}

// verified is storage that can be read back from the medium.
type verified interface {
	blockdevice.Storage
	DropCache() error
}

// erase makes the disk an empty one to firmware with its first write.
func erase(disk blockdevice.Storage) error {
	if err := partition.Erase(disk); err != nil {
		return err
	}
	if err := disk.Zero(0, mib); err != nil {
		return err
	}
	if err := disk.Zero(disk.Size()-mib, mib); err != nil {
		return err
	}
	if err := disk.Sync(); err != nil {
		return err
	}
	return markUnfinished(disk)
}

func writeESP(ctx context.Context, disk blockdevice.Storage, p *layout, from source, progress func(string)) ([]fat32.Place, error) {
	esp, err := blockdevice.NewSection(disk, p.table.Offset(p.esp), p.table.Bytes(p.esp))
	if err != nil {
		return nil, err
	}
	options := fat32.Options{ID: randomID(), Label: espLabel, HiddenSectors: uint32(p.esp.First), Time: time.Now(), Progress: percent(progress)}
	return fat32.Write(ctx, esp, options, from.files)
}

// writeSmall writes META, and for BIOS the core image and the boot code. The boot code alone starts nothing: the
// signature at the end of sector 0 comes with the partition table.
func writeSmall(disk blockdevice.Storage, p *layout, from source) error {
	if err := disk.Zero(p.table.Offset(p.meta), p.table.Bytes(p.meta)); err != nil {
		return err
	}
	sector := make([]byte, bootCodeBytes+4)
	if p.hasBIOS {
		code, core, err := embedGrub(from.bootImg, from.coreImg, p.bios.First)
		if err != nil {
			return err
		}
		if err := disk.Zero(p.table.Offset(p.bios), p.table.Bytes(p.bios)); err != nil {
			return err
		}
		if _, err := disk.WriteAt(core, p.table.Offset(p.bios)); err != nil {
			return err
		}
		copy(sector, code)
	}
	binary.LittleEndian.PutUint32(sector[bootCodeBytes:], randomID())
	if _, err := disk.WriteAt(sector, 0); err != nil {
		return err
	}
	return disk.Sync()
}

func randomID() uint32 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails (Go 1.24)
	return binary.LittleEndian.Uint32(b[:]) | 1
}

// percent reports large files at every tenth.
func percent(progress func(string)) func(string, int64, int64) {
	last := ""
	return func(path string, done, size int64) {
		message := fmt.Sprintf("writing %s: %d %%", path, done*10/max(size, 1)*10)
		if message != last {
			last = message
			progress(message)
		}
	}
}
