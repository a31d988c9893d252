// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strconv"

	"dodeka/userland/internal/cmdline"
	"dodeka/userland/internal/console"
	"dodeka/userland/internal/mounts"
)

var kernelFilesystems = []mounts.Entry{
	{Target: "/proc", Kind: "proc", Flags: mounts.DataOnly},
	{Target: "/sys", Kind: "sysfs", Flags: mounts.DataOnly},
	{Target: "/dev", Kind: "devtmpfs", Flags: mounts.NoSuid | mounts.NoExec, Data: "mode=0755"},
	{Target: "/run", Kind: "tmpfs", Flags: mounts.DataOnly, Data: "mode=0755"},
}

// mountKernelFilesystems also opens the consoles, which need them.
func mountKernelFilesystems(b *boot) error {
	err := mounts.All(kernelFilesystems)
	text, _ := os.ReadFile("/proc/cmdline")
	b.text = string(text)
	if !cmdline.KeepsKernelLog(b.text) {
		console.QuietKernel("/proc")
	}
	if !cmdline.SetsPanic(b.text) {
		// A kernel that panics must reboot, so that boot counting can fall back to the other version.
		seconds := strconv.Itoa(int(cmdline.DefaultRebootDelay.Seconds()))
		_ = os.WriteFile("/proc/sys/kernel/panic", []byte(seconds), 0)
	}
	b.out.Open("/sys", "/dev")
	return err
}

func readCmdline(b *boot) (err error) {
	b.cmdline, err = cmdline.Parse(b.text)
	return err
}
