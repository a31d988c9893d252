// SPDX-License-Identifier: Apache-2.0

package partition

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/blockdevice"
	"dodeka/userland/internal/sysfs"
)

const nodeTimeout = 5 * time.Second

// known is a partition as the kernel has it, in units of 512 bytes whatever the sectors are.
type known struct{ start, size uint64 }

// Tell makes the kernel's partitions of a disk equal to the table, one by one: re-reading the whole table is refused
// while one partition is mounted. A partition that is in use is neither removed nor moved: that is an error.
// name is the disk's, as below /sys/class/block.
func (t *Table) Tell(disk *blockdevice.Device, sys fs.FS, name string) error {
	have := kernelPartitions(sys, name)
	want := map[int]known{}
	for _, p := range t.Partitions {
		unit := uint64(t.SectorBytes / 512)
		want[p.Number] = known{p.First * unit, (p.Last - p.First + 1) * unit}
	}
	for number, k := range have {
		if w, ok := want[number]; ok && w.start == k.start {
			continue
		}
		if err := blkpg(disk, unix.BLKPG_DEL_PARTITION, number, k); err != nil {
			return fmt.Errorf("remove partition %d of %s: %w", number, name, err)
		}
		delete(have, number)
	}
	for _, p := range t.Partitions {
		w := want[p.Number]
		k, there := have[p.Number]
		operation := int32(unix.BLKPG_ADD_PARTITION)
		if there {
			operation = unix.BLKPG_RESIZE_PARTITION
		}
		if there && k == w {
			continue
		}
		if err := blkpg(disk, operation, p.Number, w); err != nil {
			return fmt.Errorf("announce partition %d of %s: %w", p.Number, name, err)
		}
	}
	return nil
}

// DeviceName is the kernel's name of a partition: sda1, nvme0n1p1.
func DeviceName(disk string, number int) string {
	if last := disk[len(disk)-1]; last >= '0' && last <= '9' {
		disk += "p"
	}
	return disk + strconv.Itoa(number)
}

// WaitForNode returns when devtmpfs has made the node.
func WaitForNode(node string) error {
	for deadline := time.Now().Add(nodeTimeout); ; time.Sleep(10 * time.Millisecond) {
		_, err := os.Stat(node)
		if err == nil || !errors.Is(err, fs.ErrNotExist) || time.Now().After(deadline) {
			return err
		}
	}
}

func kernelPartitions(sys fs.FS, disk string) map[int]known {
	found := map[int]known{}
	dir := path.Join("class/block", disk)
	entries, _ := fs.ReadDir(sys, dir)
	for _, entry := range entries {
		read := func(name string) uint64 {
			n, _ := strconv.ParseUint(sysfs.ReadText(sys, path.Join(dir, entry.Name(), name)), 10, 64)
			return n
		}
		if number := int(read("partition")); number > 0 {
			found[number] = known{read("start"), read("size")}
		}
	}
	return found
}

func blkpg(disk *blockdevice.Device, operation int32, number int, k known) error {
	p := unix.BlkpgPartition{Start: int64(k.start) * 512, Length: int64(k.size) * 512, Pno: int32(number)}
	arg := unix.BlkpgIoctlArg{Op: operation, Datalen: int32(unsafe.Sizeof(p)), Data: (*byte)(unsafe.Pointer(&p))}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, disk.Fd(), unix.BLKPG, uintptr(unsafe.Pointer(&arg))); errno != 0 {
		return errno
	}
	return nil
}
