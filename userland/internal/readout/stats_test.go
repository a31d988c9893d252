// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

func TestStatistics(t *testing.T) {
	root := fakeProc(t, map[string]string{
		"meminfo":             "MemTotal:  1000 kB\nMemFree:   400 kB\nMemAvailable: 600 kB\nHugePages_Total: 2\nDirectMap4k: 8 kB\n",
		"loadavg":             "0.50 1.25 2.00 1/99 1234\n",
		"sys/kernel/hostname": "node-1\n",
		"net/dev": "Inter-|   Receive  |  Transmit\n face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop fifo colls carrier compressed\n" +
			"  eth0: 100 2 0 0 0 0 0 0 50 1 0 0 0 0 0 0\n    lo: 10 1 0 0 0 0 0 0 10 1 0 0 0 0 0 0\n",
		"diskstats": " 254 0 vda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n 254 1 vda1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n 7 0 old 1 2\n",
		"stat": "cpu  200 0 100 1000 0 0 0 0 0 0\ncpu0 100 0 50 500 0 0 0 0 0 0\ncpu2 100 0 50 500 0 0 0 0 0 0\n" +
			"intr 5 2 3\nctxt 77\nbtime 1700000000\nprocesses 42\nprocs_running 1\nprocs_blocked 0\nsoftirq 9 1 2 3 0 0 0 0 1 1 1\n",
	})
	disk := &machine.DiskStat{
		ReadCompleted: 1, ReadMerged: 2, ReadSectors: 3, ReadTimeMs: 4, WriteCompleted: 5, WriteMerged: 6, WriteSectors: 7,
		WriteTimeMs: 8, IoInProgress: 9, IoTimeMs: 10, IoTimeWeightedMs: 11, DiscardCompleted: 12, DiscardMerged: 13,
		DiscardSectors: 14, DiscardTimeMs: 15,
	}
	total := proto.CloneOf(disk)
	disk.Name, total.ReadCompleted = "vda", 2
	cases := []struct {
		name string
		got  func() (proto.Message, error)
		want proto.Message
	}{
		{"memory", func() (proto.Message, error) { return Memory(root) },
			&machine.MemoryResponse{Messages: []*machine.Memory{{Meminfo: &machine.MemInfo{
				Memtotal: 1000, Memfree: 400, Memavailable: 600, Hugepagestotal: 2, Directmap4K: 8}}}}},
		{"load", func() (proto.Message, error) { return LoadAvg(root) },
			&machine.LoadAvgResponse{Messages: []*machine.LoadAvg{{Load1: 0.5, Load5: 1.25, Load15: 2}}}},
		{"hostname", func() (proto.Message, error) { return Hostname(root) },
			&machine.HostnameResponse{Messages: []*machine.Hostname{{Hostname: "node-1"}}}},
		{"network devices", func() (proto.Message, error) { return NetworkDeviceStats(root) },
			&machine.NetworkDeviceStatsResponse{Messages: []*machine.NetworkDeviceStats{{
				Total: &machine.NetDev{RxBytes: 110, RxPackets: 3, TxBytes: 60, TxPackets: 2},
				Devices: []*machine.NetDev{
					{Name: "eth0", RxBytes: 100, RxPackets: 2, TxBytes: 50, TxPackets: 1},
					{Name: "lo", RxBytes: 10, RxPackets: 1, TxBytes: 10, TxPackets: 1},
				}}}}},
		{"disks, lines that are too short left out", func() (proto.Message, error) { return DiskStats(root) },
			&machine.DiskStatsResponse{Messages: []*machine.DiskStats{{
				Total: total, Devices: []*machine.DiskStat{disk, {Name: "vda1", ReadCompleted: 1}}}}}},
		{"system, a processor that is off left out", func() (proto.Message, error) { return SystemStat(root) },
			&machine.SystemStatResponse{Messages: []*machine.SystemStat{{
				BootTime: 1700000000, CpuTotal: &machine.CPUStat{User: 2, System: 1, Idle: 10},
				Cpu:      []*machine.CPUStat{{User: 1, System: 0.5, Idle: 5}, {User: 1, System: 0.5, Idle: 5}},
				IrqTotal: 5, Irq: []uint64{2, 3}, ContextSwitches: 77, ProcessCreated: 42, ProcessRunning: 1, SoftIrqTotal: 9,
				SoftIrq: &machine.SoftIRQStat{Hi: 1, Timer: 2, NetTx: 3, Sched: 1, Hrtimer: 1, Rcu: 1},
			}}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.got()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStatisticsOfAnEmptyProc(t *testing.T) {
	root := fakeProc(t, nil)
	for name, call := range map[string]func() error{
		"memory":   func() error { _, err := Memory(root); return err },
		"cpuinfo":  func() error { _, err := CPUInfo(root); return err },
		"load":     func() error { _, err := LoadAvg(root); return err },
		"system":   func() error { _, err := SystemStat(root); return err },
		"network":  func() error { _, err := NetworkDeviceStats(root); return err },
		"disks":    func() error { _, err := DiskStats(root); return err },
		"mounts":   func() error { _, err := Mounts(root); return err },
		"hostname": func() error { _, err := Hostname(root); return err },
	} {
		if call() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestCPUFrequencies(t *testing.T) {
	root := Root{Sys: makeTree(t, map[string]string{
		"devices/system/cpu/cpu10/topology/core_id":          "1\n",
		"devices/system/cpu/cpu2/cpufreq/scaling_cur_freq":   "1800000\n",
		"devices/system/cpu/cpu2/cpufreq/cpuinfo_min_freq":   "800000\n",
		"devices/system/cpu/cpu2/cpufreq/cpuinfo_max_freq":   "3000000\n",
		"devices/system/cpu/cpu2/cpufreq/scaling_governor":   "schedutil\n",
		"devices/system/cpu/cpufreq/policy0/scaling_setting": "1\n",
	})}
	got, err := CPUFreqStats(root)
	if err != nil {
		t.Fatal(err)
	}
	want := []*machine.CPUFreqStats{
		{CurrentFrequency: 1800000, MinimumFrequency: 800000, MaximumFrequency: 3000000, Governor: "schedutil"}, {},
	}
	if diff := cmp.Diff(want, got.GetMessages()[0].GetCpuFreqStats(), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func TestCgroupStats(t *testing.T) {
	root := Root{Sys: makeTree(t, map[string]string{
		"fs/cgroup/system/apid/memory.current": "4096\n",
		"fs/cgroup/system/apid/cpu.stat":       "usage_usec 12\nuser_usec 5\n",
		"fs/cgroup/system/gone/":               "",
		"fs/cgroup/system/memory.current":      "9999\n",
	})}
	got, err := CgroupStats(root, "system", "system")
	if err != nil {
		t.Fatal(err)
	}
	want := []*machine.Stat{{Namespace: "system", Id: "apid", Name: "apid", MemoryUsage: 4096, CpuUsage: 12000}}
	if diff := cmp.Diff(want, got.GetMessages()[0].GetStats(), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}
