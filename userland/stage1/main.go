// SPDX-License-Identifier: Apache-2.0

// stage1 is /init of the initramfs: it finds the root image that the signed command line names, opens it through
// dm-verity, and hands over to /sbin/init on it. It never starts anything that the root hash does not cover.
package main

import (
	"os"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/boottime"
	"dodeka/userland/internal/cmdline"
	"dodeka/userland/internal/console"
	"dodeka/userland/internal/failure"
	"dodeka/userland/internal/kmod"
	"dodeka/userland/internal/phase"
	"dodeka/userland/internal/power"
)

// boot is what the phases hand on.
type boot struct {
	out     *console.Console
	text    string // of /proc/cmdline, raw
	cmdline cmdline.Cmdline
	drivers *kmod.Loader
	image   *os.File // the root image, found and opened, not yet verified
	direct  bool     // the image lies on a medium: read it past the page cache
	device  string   // the verified device
}

var phases = []phase.Phase[boot]{
	{Name: "mounts", Run: mountKernelFilesystems},
	{Name: "cmdline", Run: readCmdline},
	{Name: "modules", Run: loadDrivers},
	{Name: "find-root", Run: findRoot},
	{Name: "verity", Run: openVerity},
	{Name: "root", Run: mountRoot},
	{Name: "switch-root", Run: switchRoot},
}

func main() {
	unix.Umask(0o022)
	out := &console.Console{}
	state := boot{out: out}
	failed := phase.Run(phases, &state, func(name string) { out.Line(phase.Line(name, boottime.Now())) })
	if failed == nil {
		power.Forever() // switch-root replaced this process; here only for the reader
	}
	failure.End(out, state.text, failed)
}
