// SPDX-License-Identifier: Apache-2.0

// Package devicemapper opens a dm-verity device with the kernel's ioctls, without libdevmapper.
// Spec: Linux include/uapi/linux/dm-ioctl.h (version 4), Documentation/admin-guide/device-mapper/verity.rst.
// Limit: one target per table, names without characters that /dev would need to escape.
package devicemapper

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Sizes and limits of struct dm_ioctl and struct dm_target_spec.
const (
	headerBytes = 312
	targetBytes = 40
	nameBytes   = 128 // NUL included
	typeBytes   = 16  // NUL included
	sectorBytes = 512
)

const (
	readOnly = 1 << 0 // DM_READONLY_FLAG
	suspend  = 1 << 1 // DM_SUSPEND_FLAG; DM_DEV_SUSPEND without it resumes
)

// target is one line of a table. Sectors are 512 bytes.
type target struct {
	sectors uint64
	kind    string // "verity"
	params  string
}

// encode returns the argument of an ioctl: the header and at most one target. The kernel answers in the same buffer.
func encode(name string, flags uint32, t *target) ([]byte, error) {
	if name == "" || len(name) >= nameBytes || strings.ContainsAny(name, "/ \x00") {
		return nil, fmt.Errorf("device name %q does not fit", name)
	}
	var body []byte
	count := uint32(0)
	if t != nil {
		var err error
		if body, err = encodeTarget(*t); err != nil {
			return nil, err
		}
		count = 1
	}
	b := make([]byte, headerBytes, headerBytes+len(body))
	le := binary.LittleEndian
	le.PutUint32(b[0:], 4)                              //   0..3    version: major
	le.PutUint32(b[4:], 0)                              //   4..7    version: minor
	le.PutUint32(b[8:], 0)                              //   8..11   version: patch
	le.PutUint32(b[12:], uint32(headerBytes+len(body))) //  12..15   data_size: the whole buffer
	le.PutUint32(b[16:], headerBytes)                   //  16..19   data_start
	le.PutUint32(b[20:], count)                         //  20..23   target_count
	le.PutUint32(b[28:], flags)                         //  28..31   flags; 24..27 open_count, 32..47 event_nr, padding, dev
	copy(b[48:48+nameBytes-1], name)                    //  48..175  name; 176..304 uuid, 305..311 padding
	return append(b, body...), nil
}

// encodeTarget returns struct dm_target_spec and its parameters, NUL-ended and padded to 8 bytes.
func encodeTarget(t target) ([]byte, error) {
	if t.kind == "" || len(t.kind) >= typeBytes || t.sectors == 0 || strings.ContainsRune(t.kind+t.params, 0) {
		return nil, fmt.Errorf("target %q of %d sectors does not fit", t.kind, t.sectors)
	}
	size := (targetBytes + len(t.params) + 1 + 7) &^ 7
	b := make([]byte, size)
	le := binary.LittleEndian
	le.PutUint64(b[0:], 0)             //   0..7   sector_start
	le.PutUint64(b[8:], t.sectors)     //   8..15  length
	le.PutUint32(b[20:], uint32(size)) //  20..23  next: offset of the next target; 16..19 status
	copy(b[24:24+typeBytes-1], t.kind) //  24..39  target_type
	copy(b[targetBytes:], t.params)    //  40..
	return b, nil
}

// minorOf reads the device number that the kernel put into the header (dev, bytes 40..47, "huge" encoding).
func minorOf(answer []byte) (uint32, error) {
	if len(answer) < headerBytes {
		return 0, errors.New("short answer of device-mapper")
	}
	dev := binary.LittleEndian.Uint64(answer[40:])
	return uint32(dev&0xff | (dev>>12)&0xfff00), nil
}
