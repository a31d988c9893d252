// SPDX-License-Identifier: Apache-2.0

package devicemapper

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// BlockBytes is the size of data blocks and of hash blocks.
const BlockBytes = 4096

const hashesPerBlock = BlockBytes / 32

// Verity describes a device that holds data, one superblock that is not read, and the hash tree. Everything comes from
// the signed command line; the superblock on the medium could say anything.
type Verity struct {
	Device   string // "/dev/loop0"
	Blocks   uint64 // of data
	RootHash string // hex SHA-256; the salt is empty
}

// Bytes is the least length of the device: data, superblock and every level of the tree.
func (v Verity) Bytes() uint64 {
	total := v.Blocks + 1
	for level := v.Blocks; level > 1; {
		level = (level + hashesPerBlock - 1) / hashesPerBlock
		total += level
	}
	return total * BlockBytes
}

func (v Verity) target() target {
	params := fmt.Sprintf("1 %s %s %d %d %d %d sha256 %s -",
		v.Device, v.Device, BlockBytes, BlockBytes, v.Blocks, v.Blocks+1, v.RootHash)
	return target{sectors: v.Blocks * (BlockBytes / sectorBytes), kind: "verity", params: params}
}

// OpenVerity creates the read-only device and returns its node, such as "/dev/dm-0". The kernel reads nothing yet: a
// wrong root hash shows on the first read.
func OpenVerity(name string, v Verity) (string, error) {
	control, err := os.OpenFile("/dev/mapper/control", os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer control.Close()
	answer, err := call(control, unix.DM_DEV_CREATE, name, 0, nil)
	if err != nil {
		return "", fmt.Errorf("create device %s: %w", name, err)
	}
	minor, err := minorOf(answer)
	if err != nil {
		return "", err
	}
	table := v.target()
	if _, err = call(control, unix.DM_TABLE_LOAD, name, readOnly, &table); err == nil {
		_, err = call(control, unix.DM_DEV_SUSPEND, name, 0, nil)
	}
	if err != nil {
		_, _ = call(control, unix.DM_DEV_REMOVE, name, 0, nil)
		return "", fmt.Errorf("table %q: %w", "verity "+table.params, err)
	}
	return fmt.Sprintf("/dev/dm-%d", minor), nil
}
