// SPDX-License-Identifier: Apache-2.0

package install

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"

	"dodeka/userland/internal/blockdevice"
	"dodeka/userland/internal/fat32"
	"dodeka/userland/internal/verityhash"
)

// verify reads every file back from the medium and compares it with its source; the root image also with the hash that
// the signed command line names, so that a source that changed meanwhile shows too.
func verify(ctx context.Context, disk blockdevice.Storage, p *layout, from source, places []fat32.Place) error {
	esp, err := blockdevice.NewSection(disk, p.table.Offset(p.esp), p.table.Bytes(p.esp))
	if err != nil {
		return err
	}
	for _, place := range places {
		written := io.NewSectionReader(esp, place.Offset, place.Size)
		if place.Path == from.root {
			err = verityhash.Check(written, from.running.RootBlocks, from.running.RootHash)
		} else {
			err = compare(ctx, written, from.file(place.Path))
		}
		if err != nil {
			return fmt.Errorf("read back %s: %w", place.Path, err)
		}
	}
	return nil
}

func compare(ctx context.Context, written io.Reader, file fat32.File) error {
	original, err := file.Open()
	if err != nil {
		return err
	}
	defer original.Close()
	a, b := make([]byte, mib), make([]byte, mib)
	for done := int64(0); done < file.Size; {
		n := min(mib, file.Size-done)
		if _, err := io.ReadFull(written, a[:n]); err != nil {
			return err
		}
		if _, err := io.ReadFull(original, b[:n]); err != nil {
			return err
		}
		if !bytes.Equal(a[:n], b[:n]) {
			return fmt.Errorf("other bytes than were written, after %d", done)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		done += n
	}
	return nil
}

// diskName is the kernel's name of a device file, also of a link to it.
func diskName(device string) string {
	if resolved, err := filepath.EvalSymlinks(device); err == nil {
		device = resolved
	}
	return filepath.Base(device)
}
