// SPDX-License-Identifier: Apache-2.0

package disks

import (
	"slices"
	"strings"
)

// Labels of the system's partitions.
const (
	labelEFI       = "EFI"
	LabelMeta      = "META"
	LabelState     = "STATE"
	LabelEphemeral = "EPHEMERAL"
)

// mediaMount is where stage1 mounted what carries the root image.
const mediaMount = "/run/dodeka/media"

// Boot returns the disk, stick or CD that the root image was read from, by the text of /proc/self/mountinfo. There is
// none when the root image travelled inside the initramfs (PXE).
func Boot(all []Disk, mountInfo string) (Disk, bool) {
	for line := range strings.Lines(mountInfo) {
		fields := strings.Fields(line) // id, parent, major:minor, root, mount point, …
		if len(fields) < 5 || fields[4] != mediaMount {
			continue
		}
		for _, d := range all {
			if d.Number == fields[2] || slices.ContainsFunc(d.Partitions, func(p Partition) bool { return p.Number == fields[2] }) {
				return d, true
			}
		}
	}
	return Disk{}, false
}

// System returns the disk that the system is installed on: the booted one when it is no installation medium, else the
// only other one that is laid out like it. Two such disks are none: nobody could say which is meant.
func System(all []Disk, boot string) (Disk, bool) {
	var found []Disk
	for _, d := range all {
		_, efi := d.Partition(labelEFI)
		_, meta := d.Partition(LabelMeta)
		if !efi || !meta || d.CDROM {
			continue
		}
		if d.Name == boot {
			return d, true
		}
		found = append(found, d)
	}
	if len(found) != 1 {
		return Disk{}, false
	}
	return found[0], true
}
