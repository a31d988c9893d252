// SPDX-License-Identifier: Apache-2.0

package install

import (
	"dodeka/userland/internal/blockdevice"
	"dodeka/userland/internal/probe"
)

// A disk that was erased for an installation says so until it has its partition table: when the power was cut in
// between, the next try needs no leave to wipe what this system left there itself. The mark lies where the protective MBR
// has its records, so that the write which ends an installation, or another partitioner, takes it away.
const (
	markAt = 446 // in sector 0
	mark   = "DODEKA installing"
)

func markUnfinished(disk blockdevice.Storage) error {
	if _, err := disk.WriteAt([]byte(mark), markAt); err != nil {
		return err
	}
	return disk.Sync()
}

// isUnfinished tells whether what was found on a disk is what a cut installation leaves. A file system that somebody put
// there meanwhile is not.
func isUnfinished(disk blockdevice.Storage, found []probe.Finding) (bool, error) {
	for _, f := range found {
		if f.Name != "gpt" {
			return false, nil
		}
	}
	text := make([]byte, len(mark))
	_, err := disk.ReadAt(text, markAt)
	return string(text) == mark, err
}
