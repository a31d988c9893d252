// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"

	"dodeka/userland/internal/devicemapper"
	"dodeka/userland/internal/loop"
)

// openVerity stacks loop and dm-verity on the image. The name of the file proves nothing; the root hash does.
func openVerity(b *boot) error {
	v := devicemapper.Verity{Blocks: b.cmdline.RootBlocks, RootHash: b.cmdline.RootHash}
	if err := checkLength(b.image, v.Bytes()); err != nil {
		return err
	}
	device, err := loop.Attach(b.image, b.direct)
	if err != nil {
		return err
	}
	v.Device = device.Name()
	b.device, err = devicemapper.OpenVerity("dodeka-root", v)
	// From here on dm-verity holds the loop device, and that holds the file.
	_ = device.Close()
	_ = b.image.Close()
	return err
}

func checkLength(image *os.File, least uint64) error {
	info, err := image.Stat()
	if err != nil {
		return err
	}
	if size := uint64(info.Size()); size < least || size%devicemapper.BlockBytes != 0 {
		return fmt.Errorf("root image has %d bytes, expected a multiple of %d and at least %d", size, devicemapper.BlockBytes, least)
	}
	return nil
}
