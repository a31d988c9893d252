// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"dodeka/userland/internal/mounts"
	"dodeka/userland/internal/screen"
)

// The first four normally come from stage1. Everything that is writable lives in memory.
var systemMounts = []mounts.Entry{
	{Target: "/proc", Kind: "proc", Flags: mounts.DataOnly},
	{Target: "/sys", Kind: "sysfs", Flags: mounts.DataOnly},
	{Target: "/dev", Kind: "devtmpfs", Flags: mounts.NoSuid | mounts.NoExec, Data: "mode=0755"},
	{Target: "/run", Kind: "tmpfs", Flags: mounts.DataOnly, Data: "mode=0755"},
	{Target: "/dev/pts", Kind: "devpts", Flags: mounts.NoSuid | mounts.NoExec, Data: "gid=5,mode=0620,ptmxmode=0666"},
	{Target: "/dev/shm", Kind: "tmpfs", Flags: mounts.DataOnly, Data: "mode=1777"},
	{Target: "/tmp", Kind: "tmpfs", Flags: mounts.DataOnly, Data: "mode=1777"},
	{Target: "/var", Kind: "tmpfs", Flags: mounts.DataOnly, Data: "mode=0755"},
	{Target: "/sys/fs/cgroup", Kind: "cgroup2", Flags: mounts.DataOnly, Data: "nsdelegate"},
	{Target: "/sys/kernel/security", Kind: "securityfs", Flags: mounts.DataOnly, Optional: true},
	{Target: "/sys/fs/bpf", Kind: "bpf", Flags: mounts.DataOnly, Data: "mode=0700", Optional: true},
	{Target: "/sys/fs/pstore", Kind: "pstore", Flags: mounts.DataOnly, Optional: true},
}

// efiVariables exist only where UEFI started the kernel.
var efiVariables = mounts.Entry{
	Target: "/sys/firmware/efi/efivars", Kind: "efivarfs", Flags: mounts.DataOnly, Optional: true,
}

func mountSystem(s *system) error {
	if err := mounts.All(systemMounts); err != nil {
		return err
	}
	if err := s.readCmdline(); err != nil {
		return err
	}
	s.board.Change(func(status *screen.Status) {
		status.Version, status.Platform, status.RootHash = s.cmdline.Version, s.cmdline.Platform, s.cmdline.RootHash
	})
	s.report("memory reserve", limitReserve("/proc"))
	return os.WriteFile("/proc/sys/kernel/modprobe", []byte("/sbin/modprobe"), 0)
}

// mountEfiVariables needs the efivarfs driver where that is a module.
func mountEfiVariables() {
	if _, err := os.Stat("/sys/firmware/efi"); err == nil {
		_ = mounts.All([]mounts.Entry{efiVariables})
	}
}
