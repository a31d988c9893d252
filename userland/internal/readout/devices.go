// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"bufio"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
)

// NetworkDeviceStats is /proc/net/dev, sorted by name, and the sum over all devices.
func NetworkDeviceStats(root Root) (*machine.NetworkDeviceStatsResponse, error) {
	proc, err := procfs.NewFS(root.Proc)
	if err != nil {
		return nil, asStatus(err)
	}
	devices, err := proc.NetDev()
	if err != nil {
		return nil, asStatus(err)
	}
	answer := &machine.NetworkDeviceStats{Total: netDev(devices.Total())}
	answer.Total.Name = "" // the library joins all names here
	for _, name := range slices.Sorted(maps.Keys(devices)) {
		answer.Devices = append(answer.Devices, netDev(devices[name]))
	}
	return &machine.NetworkDeviceStatsResponse{Messages: []*machine.NetworkDeviceStats{answer}}, nil
}

func netDev(in procfs.NetDevLine) *machine.NetDev {
	return &machine.NetDev{
		Name:    in.Name,
		RxBytes: in.RxBytes, RxPackets: in.RxPackets, RxErrors: in.RxErrors, RxDropped: in.RxDropped,
		RxFifo: in.RxFIFO, RxFrame: in.RxFrame, RxCompressed: in.RxCompressed, RxMulticast: in.RxMulticast,
		TxBytes: in.TxBytes, TxPackets: in.TxPackets, TxErrors: in.TxErrors, TxDropped: in.TxDropped,
		TxFifo: in.TxFIFO, TxCollisions: in.TxCollisions, TxCarrier: in.TxCarrier, TxCompressed: in.TxCompressed,
	}
}

// DiskStats is /proc/diskstats, and the sum over all devices: a partition counts as well as its disk, as the kernel
// lists them. Spec: Linux Documentation/admin-guide/iostats.rst.
func DiskStats(root Root) (*machine.DiskStatsResponse, error) {
	file, err := os.Open(filepath.Join(root.Proc, "diskstats"))
	if err != nil {
		return nil, asStatus(err)
	}
	defer func() { _ = file.Close() }()
	answer := &machine.DiskStats{Total: &machine.DiskStat{}}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if device := diskStat(lines.Text()); device != nil {
			answer.Devices = append(answer.Devices, device)
			addDisk(answer.Total, device)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, asStatus(err)
	}
	return &machine.DiskStatsResponse{Messages: []*machine.DiskStats{answer}}, nil
}

const (
	diskCounters = 15 // fields since Linux 4.18; newer kernels append flushes
	diskNumbers  = 3  // major, minor, name
)

func diskStat(line string) *machine.DiskStat {
	fields := strings.Fields(line)
	if len(fields) < diskNumbers+diskCounters {
		return nil
	}
	var v [diskCounters]uint64
	for i := range v {
		number, err := strconv.ParseUint(fields[diskNumbers+i], 10, 64)
		if err != nil {
			return nil
		}
		v[i] = number
	}
	return &machine.DiskStat{
		Name:          fields[2],
		ReadCompleted: v[0], ReadMerged: v[1], ReadSectors: v[2], ReadTimeMs: v[3],
		WriteCompleted: v[4], WriteMerged: v[5], WriteSectors: v[6], WriteTimeMs: v[7],
		IoInProgress: v[8], IoTimeMs: v[9], IoTimeWeightedMs: v[10],
		DiscardCompleted: v[11], DiscardMerged: v[12], DiscardSectors: v[13], DiscardTimeMs: v[14],
	}
}

func addDisk(total, device *machine.DiskStat) {
	total.ReadCompleted += device.ReadCompleted
	total.ReadMerged += device.ReadMerged
	total.ReadSectors += device.ReadSectors
	total.ReadTimeMs += device.ReadTimeMs
	total.WriteCompleted += device.WriteCompleted
	total.WriteMerged += device.WriteMerged
	total.WriteSectors += device.WriteSectors
	total.WriteTimeMs += device.WriteTimeMs
	total.IoInProgress += device.IoInProgress
	total.IoTimeMs += device.IoTimeMs
	total.IoTimeWeightedMs += device.IoTimeWeightedMs
	total.DiscardCompleted += device.DiscardCompleted
	total.DiscardMerged += device.DiscardMerged
	total.DiscardSectors += device.DiscardSectors
	total.DiscardTimeMs += device.DiscardTimeMs
}
