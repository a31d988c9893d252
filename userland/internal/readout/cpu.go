// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/prometheus/procfs"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"

	"dodeka/userland/internal/sysfs"
)

// CPUInfo is /proc/cpuinfo, a processor each.
func CPUInfo(root Root) (*machine.CPUInfoResponse, error) {
	proc, err := procfs.NewFS(root.Proc)
	if err != nil {
		return nil, asStatus(err)
	}
	processors, err := proc.CPUInfo()
	if err != nil {
		return nil, asStatus(err)
	}
	answer := &machine.CPUsInfo{}
	for i := range processors {
		answer.CpuInfo = append(answer.CpuInfo, cpuInfo(&processors[i]))
	}
	return &machine.CPUInfoResponse{Messages: []*machine.CPUsInfo{answer}}, nil
}

func cpuInfo(in *procfs.CPUInfo) *machine.CPUInfo {
	return &machine.CPUInfo{
		Processor: uint32(in.Processor), VendorId: in.VendorID, CpuFamily: in.CPUFamily,
		Model: in.Model, ModelName: in.ModelName, Stepping: in.Stepping, Microcode: in.Microcode,
		CpuMhz: in.CPUMHz, CacheSize: in.CacheSize, PhysicalId: in.PhysicalID, Siblings: uint32(in.Siblings),
		CoreId: in.CoreID, CpuCores: uint32(in.CPUCores), ApicId: in.APICID, InitialApicId: in.InitialAPICID,
		Fpu: in.FPU, FpuException: in.FPUException, CpuIdLevel: uint32(in.CPUIDLevel), Wp: in.WP,
		Flags: in.Flags, Bugs: in.Bugs, BogoMips: in.BogoMips,
		ClFlushSize: uint32(in.CLFlushSize), CacheAlignment: uint32(in.CacheAlignment),
		AddressSizes: in.AddressSizes, PowerManagement: in.PowerManagement,
	}
}

// LoadAvg is /proc/loadavg.
func LoadAvg(root Root) (*machine.LoadAvgResponse, error) {
	proc, err := procfs.NewFS(root.Proc)
	if err != nil {
		return nil, asStatus(err)
	}
	load, err := proc.LoadAvg()
	if err != nil {
		return nil, asStatus(err)
	}
	answer := &machine.LoadAvg{Load1: load.Load1, Load5: load.Load5, Load15: load.Load15}
	return &machine.LoadAvgResponse{Messages: []*machine.LoadAvg{answer}}, nil
}

// SystemStat is /proc/stat; times are in seconds.
func SystemStat(root Root) (*machine.SystemStatResponse, error) {
	proc, err := procfs.NewFS(root.Proc)
	if err != nil {
		return nil, asStatus(err)
	}
	stat, err := proc.Stat()
	if err != nil {
		return nil, asStatus(err)
	}
	answer := &machine.SystemStat{
		BootTime: stat.BootTime,
		CpuTotal: cpuStat(stat.CPUTotal), Cpu: cpuStats(stat.CPU),
		IrqTotal: stat.IRQTotal, Irq: stat.IRQ,
		ContextSwitches: stat.ContextSwitches, ProcessCreated: stat.ProcessCreated,
		ProcessRunning: stat.ProcessesRunning, ProcessBlocked: stat.ProcessesBlocked,
		SoftIrqTotal: stat.SoftIRQTotal, SoftIrq: softIRQ(stat.SoftIRQ),
	}
	return &machine.SystemStatResponse{Messages: []*machine.SystemStat{answer}}, nil
}

// cpuStats keeps the processors that are online, in their order: one that is off has no line in /proc/stat, and the
// protocol has no place for its number.
func cpuStats(online map[int64]procfs.CPUStat) []*machine.CPUStat {
	var stats []*machine.CPUStat
	for _, number := range slices.Sorted(maps.Keys(online)) {
		stats = append(stats, cpuStat(online[number]))
	}
	return stats
}

func cpuStat(in procfs.CPUStat) *machine.CPUStat {
	return &machine.CPUStat{
		User: in.User, Nice: in.Nice, System: in.System, Idle: in.Idle, Iowait: in.Iowait,
		Irq: in.IRQ, SoftIrq: in.SoftIRQ, Steal: in.Steal, Guest: in.Guest, GuestNice: in.GuestNice,
	}
}

func softIRQ(in procfs.SoftIRQStat) *machine.SoftIRQStat {
	return &machine.SoftIRQStat{
		Hi: in.Hi, Timer: in.Timer, NetTx: in.NetTx, NetRx: in.NetRx, Block: in.Block,
		BlockIoPoll: in.BlockIoPoll, Tasklet: in.Tasklet, Sched: in.Sched, Hrtimer: in.Hrtimer, Rcu: in.Rcu,
	}
}

// CPUFreqStats is what the kernel's frequency drivers say: kilohertz; all zero for a processor without a driver, as in
// most virtual machines.
func CPUFreqStats(root Root) (*machine.CPUFreqStatsResponse, error) {
	dirs, err := filepath.Glob(filepath.Join(root.Sys, "devices/system/cpu/cpu[0-9]*"))
	if err != nil {
		return nil, asStatus(err)
	}
	slices.SortFunc(dirs, func(a, b string) int { return cpuNumber(a) - cpuNumber(b) })
	answer := &machine.CPUsFreqStats{}
	for _, dir := range dirs {
		answer.CpuFreqStats = append(answer.CpuFreqStats, cpuFreq(filepath.Join(dir, "cpufreq")))
	}
	return &machine.CPUFreqStatsResponse{Messages: []*machine.CPUsFreqStats{answer}}, nil
}

func cpuNumber(dir string) int {
	number, _ := strconv.Atoi(filepath.Base(dir)[len("cpu"):])
	return number
}

func cpuFreq(dir string) *machine.CPUFreqStats {
	driver := os.DirFS(dir)
	kilohertz := func(name string) uint64 {
		frequency, _ := strconv.ParseUint(sysfs.ReadText(driver, name), 10, 64)
		return frequency
	}
	return &machine.CPUFreqStats{
		CurrentFrequency: kilohertz("scaling_cur_freq"),
		MinimumFrequency: kilohertz("cpuinfo_min_freq"),
		MaximumFrequency: kilohertz("cpuinfo_max_freq"),
		Governor:         sysfs.ReadText(driver, "scaling_governor"),
	}
}
