// SPDX-License-Identifier: Apache-2.0

// Package blockdevice opens disks, partitions and image files alike, and tells sizes, zeroes, discards and flushes.
// Spec: Linux include/uapi/linux/fs.h (BLK* ioctls); an image file has sectors of 512 bytes.
package blockdevice

import (
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Storage is what disk formats are written to: a Device, or a recorder of writes in tests.
type Storage interface {
	io.ReaderAt
	io.WriterAt
	// Size is in bytes.
	Size() int64
	// SectorBytes is the logical sector size.
	SectorBytes() int64
	// Sync returns when everything written before has reached the medium.
	Sync() error
	// Zero makes a range read as zeros.
	Zero(offset, length int64) error
}

// Device is an open disk, partition or image file.
type Device struct {
	*os.File
	size, sector int64
	isBlock      bool
}

// Open opens for reading.
func Open(path string) (*Device, error) { return open(path, os.O_RDONLY) }

// OpenWritable opens for reading and writing, also while partitions of the disk are mounted.
func OpenWritable(path string) (*Device, error) { return open(path, os.O_RDWR) }

// OpenExclusive is refused with EBUSY while the device, or on a disk any of its partitions, is mounted or held.
func OpenExclusive(path string) (*Device, error) { return open(path, os.O_RDWR|unix.O_EXCL) }

func open(path string, flags int) (*Device, error) {
	file, err := os.OpenFile(path, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	device := &Device{File: file}
	if err := device.measure(); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return device, nil
}

func (d *Device) measure() error {
	info, err := d.Stat()
	if err != nil {
		return err
	}
	if info.Mode().IsRegular() {
		d.size, d.sector = info.Size(), 512
		return nil
	}
	if info.Mode()&os.ModeDevice == 0 || info.Mode()&os.ModeCharDevice != 0 {
		return errors.New("neither a block device nor a regular file")
	}
	d.isBlock = true
	var bytes uint64
	if err := d.ioctl(unix.BLKGETSIZE64, unsafe.Pointer(&bytes)); err != nil {
		return fmt.Errorf("size: %w", err)
	}
	sector, err := unix.IoctlGetInt(int(d.Fd()), unix.BLKSSZGET)
	if err != nil {
		return fmt.Errorf("sector size: %w", err)
	}
	d.size, d.sector = int64(bytes), int64(sector)
	return nil
}

// Size is in bytes.
func (d *Device) Size() int64 { return d.size }

// SectorBytes is the logical sector size.
func (d *Device) SectorBytes() int64 { return d.sector }

// IsBlock tells a device from an image file.
func (d *Device) IsBlock() bool { return d.isBlock }

// Zero lets the drive do it where it can; the kernel writes zeros where it cannot.
func (d *Device) Zero(offset, length int64) error {
	if err := checkRange(offset, length, d.size); err != nil || length == 0 {
		return err
	}
	if d.isBlock && offset%d.sector == 0 && length%d.sector == 0 {
		r := [2]uint64{uint64(offset), uint64(length)}
		if d.ioctl(unix.BLKZEROOUT, unsafe.Pointer(&r)) == nil {
			return nil
		}
	}
	if !d.isBlock && unix.Fallocate(int(d.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, offset, length) == nil {
		return nil
	}
	return writeZeros(d.File, offset, length)
}

// Discard tells the drive that a range is free. Only a hint: what the range reads as afterwards is up to the drive.
func (d *Device) Discard(offset, length int64) error {
	if err := checkRange(offset, length, d.size); err != nil {
		return err
	}
	if !d.isBlock {
		return unix.Fallocate(int(d.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, offset, length)
	}
	r := [2]uint64{uint64(offset), uint64(length)}
	return d.ioctl(unix.BLKDISCARD, unsafe.Pointer(&r))
}

// DropCache makes later reads come from the medium, so that reading back proves what was written.
func (d *Device) DropCache() error {
	if err := d.Sync(); err != nil {
		return err
	}
	if d.isBlock {
		if err := unix.IoctlSetInt(int(d.Fd()), unix.BLKFLSBUF, 0); err == nil {
			return nil
		}
	}
	return unix.Fadvise(int(d.Fd()), 0, 0, unix.FADV_DONTNEED)
}

func (d *Device) ioctl(request uintptr, argument unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, d.Fd(), request, uintptr(argument)); errno != 0 {
		return errno
	}
	return nil
}

// writeZeros writes them, for storage that has no better way.
func writeZeros(w io.WriterAt, offset, length int64) error {
	zeros := make([]byte, min(length, 1<<20))
	for length > 0 {
		n := min(length, int64(len(zeros)))
		if _, err := w.WriteAt(zeros[:n], offset); err != nil {
			return err
		}
		offset, length = offset+n, length-n
	}
	return nil
}

func checkRange(offset, length, size int64) error {
	if offset < 0 || length < 0 || offset > size || length > size-offset {
		return fmt.Errorf("range of %d bytes at %d is outside of %d bytes", length, offset, size)
	}
	return nil
}
