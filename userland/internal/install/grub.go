// SPDX-License-Identifier: Apache-2.0

package install

import (
	"encoding/binary"
	"fmt"
)

// Offsets in GRUB 2.12's images, as builder/layout/grub-disk.ts has them. Spec: include/grub/i386/pc/boot.h.
const (
	bootCodeBytes  = 440
	kernelSectorAt = 0x5c
	bootDriveAt    = 0x64
	driveCheckAt   = 0x66
	blockListAt    = 0x1f4 // in core's first sector
	coreSegment    = 0x820
	largestCore    = 0x78000 - 0x9000
)

// embedGrub ties boot sector and core image to the core's place, in sectors of 512 bytes.
func embedGrub(bootImg, coreImg []byte, coreLBA uint64) (bootCode, core []byte, err error) {
	le := binary.LittleEndian
	if len(bootImg) != 512 || bootImg[0] != 0xeb || bootImg[510] != 0x55 || bootImg[511] != 0xaa {
		return nil, nil, fmt.Errorf("boot.img of %d bytes is not GRUB's boot sector", len(bootImg))
	}
	if len(coreImg) < 1024 || len(coreImg) > largestCore || le.Uint16(coreImg[blockListAt+10:]) != coreSegment {
		return nil, nil, fmt.Errorf("core.img of %d bytes is not GRUB's core image", len(coreImg))
	}
	bootCode = append([]byte(nil), bootImg[:bootCodeBytes]...)
	le.PutUint64(bootCode[kernelSectorAt:], coreLBA)
	bootCode[bootDriveAt] = 0xff
	le.PutUint16(bootCode[driveCheckAt:], 0x9090) // take the workaround for BIOSes that pass a wrong drive
	sectors := (len(coreImg) + 511) / 512
	core = make([]byte, sectors*512)
	copy(core, coreImg)
	le.PutUint64(core[blockListAt:], coreLBA+1)
	le.PutUint16(core[blockListAt+8:], uint16(sectors-1))
	return bootCode, core, nil
}
