// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"github.com/prometheus/procfs"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
)

// Memory is /proc/meminfo: kibibytes, and pages where a name begins with Hugepages. What this kernel does not say is 0.
func Memory(root Root) (*machine.MemoryResponse, error) {
	proc, err := procfs.NewFS(root.Proc)
	if err != nil {
		return nil, asStatus(err)
	}
	info, err := proc.Meminfo()
	if err != nil {
		return nil, asStatus(err)
	}
	return &machine.MemoryResponse{Messages: []*machine.Memory{{Meminfo: memInfo(&info)}}}, nil
}

func memInfo(in *procfs.Meminfo) *machine.MemInfo {
	return &machine.MemInfo{
		Memtotal: value(in.MemTotal), Memfree: value(in.MemFree), Memavailable: value(in.MemAvailable),
		Buffers: value(in.Buffers), Cached: value(in.Cached), Swapcached: value(in.SwapCached),
		Active: value(in.Active), Inactive: value(in.Inactive),
		Activeanon: value(in.ActiveAnon), Inactiveanon: value(in.InactiveAnon),
		Activefile: value(in.ActiveFile), Inactivefile: value(in.InactiveFile),
		Unevictable: value(in.Unevictable), Mlocked: value(in.Mlocked),
		Swaptotal: value(in.SwapTotal), Swapfree: value(in.SwapFree),
		Dirty: value(in.Dirty), Writeback: value(in.Writeback), Writebacktmp: value(in.WritebackTmp),
		Anonpages: value(in.AnonPages), Mapped: value(in.Mapped), Shmem: value(in.Shmem),
		Slab: value(in.Slab), Sreclaimable: value(in.SReclaimable), Sunreclaim: value(in.SUnreclaim),
		Kernelstack: value(in.KernelStack), Pagetables: value(in.PageTables),
		Nfsunstable: value(in.NFSUnstable), Bounce: value(in.Bounce),
		Commitlimit: value(in.CommitLimit), Committedas: value(in.CommittedAS),
		Vmalloctotal: value(in.VmallocTotal), Vmallocused: value(in.VmallocUsed), Vmallocchunk: value(in.VmallocChunk),
		Hardwarecorrupted: value(in.HardwareCorrupted), Anonhugepages: value(in.AnonHugePages),
		Shmemhugepages: value(in.ShmemHugePages), Shmempmdmapped: value(in.ShmemPmdMapped),
		Cmatotal: value(in.CmaTotal), Cmafree: value(in.CmaFree),
		Hugepagestotal: value(in.HugePagesTotal), Hugepagesfree: value(in.HugePagesFree),
		Hugepagesrsvd: value(in.HugePagesRsvd), Hugepagessurp: value(in.HugePagesSurp),
		Hugepagesize: value(in.Hugepagesize),
		Directmap4K:  value(in.DirectMap4k), Directmap2M: value(in.DirectMap2M), Directmap1G: value(in.DirectMap1G),
	}
}

func value[T uint64 | string](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
