// SPDX-License-Identifier: Apache-2.0

package disks

import (
	"regexp"
	"strings"
)

// stableNames are those of the links that udev makes on other systems. There is no udev here and there are no links, but
// a configuration may name a disk by one.
func stableNames(d Disk) []string {
	var names []string
	byID := func(kind, id string) {
		if id != "" {
			names = append(names, "/dev/disk/by-id/"+kind+"-"+escape(id))
		}
	}
	model := joined(d.Model, d.Serial)
	switch d.Transport {
	case "virtio":
		byID("virtio", d.Serial)
	case "nvme":
		byID("nvme", model)
		byID("nvme", d.WWID)
	case "sata":
		byID("ata", model)
	case "usb":
		byID("usb", model)
	case "mmc":
		byID("mmc", model)
	case "sas", "scsi", "iscsi":
		byID("scsi", model)
	}
	if id, ok := strings.CutPrefix(d.WWID, "naa."); ok {
		byID("wwn", "0x"+id)
	}
	if place := pathName(d.BusPath); place != "" {
		names = append(names, "/dev/disk/by-path/"+place)
	}
	return names
}

var (
	pciAddress = regexp.MustCompile(`[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]`)
	ataPort    = regexp.MustCompile(`/ata([0-9]+)/`)
	nvmeSpace  = regexp.MustCompile(`/nvme[0-9]+(?:/nvme[0-9]+n([0-9]+))?$`)
)

// pathName covers what has one disk at one PCI function, or says which. Others have no such name.
func pathName(busPath string) string {
	addresses := pciAddress.FindAllString(busPath, -1)
	if len(addresses) == 0 {
		return ""
	}
	pci := "pci-" + addresses[len(addresses)-1]
	switch {
	case strings.Contains(busPath, "/virtio") && !strings.Contains(busPath, "/host"):
		return pci
	case nvmeSpace.MatchString(busPath):
		return pci + "-nvme-1"
	case ataPort.MatchString(busPath):
		return pci + "-ata-" + ataPort.FindStringSubmatch(busPath)[1]
	}
	return ""
}

// joined is empty unless both parts are there: a model alone names no disk.
func joined(model, serial string) string {
	if model == "" || serial == "" {
		return ""
	}
	return model + "_" + serial
}

// escape does as udev: runs of white space become one underscore, what could disturb a path becomes one too.
func escape(text string) string {
	text = strings.Join(strings.Fields(text), "_")
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("#+-.:=@_", r) {
			return r
		}
		return '_'
	}, text)
}
