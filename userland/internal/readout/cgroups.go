// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"

	"dodeka/userland/internal/sysfs"
)

// CgroupStats is a line for each control group directly below a folder of the cgroup v2 hierarchy: bytes of memory and
// nanoseconds of processor time. The namespace is what a client groups by; a group that ends meanwhile is left out.
// Spec: Linux Documentation/admin-guide/cgroup-v2.rst.
func CgroupStats(root Root, namespace, folder string) (*machine.StatsResponse, error) {
	top := os.DirFS(root.Sys)
	dir := path.Join("fs/cgroup", folder)
	entries, err := os.ReadDir(path.Join(root.Sys, dir))
	if err != nil {
		return nil, asStatus(err)
	}
	answer := &machine.Stats{}
	for _, entry := range entries {
		group := path.Join(dir, entry.Name())
		memory, err := strconv.ParseUint(sysfs.ReadText(top, path.Join(group, "memory.current")), 10, 64)
		if !entry.IsDir() || err != nil {
			continue
		}
		answer.Stats = append(answer.Stats, &machine.Stat{
			Namespace: namespace, Id: entry.Name(), Name: entry.Name(),
			MemoryUsage: memory, CpuUsage: cpuNanoseconds(sysfs.ReadText(top, path.Join(group, "cpu.stat"))),
		})
	}
	return &machine.StatsResponse{Messages: []*machine.Stats{answer}}, nil
}

func cpuNanoseconds(stat string) uint64 {
	for line := range strings.Lines(stat) {
		if used, found := strings.CutPrefix(line, "usage_usec "); found {
			microseconds, _ := strconv.ParseUint(strings.TrimSpace(used), 10, 64)
			return microseconds * 1000
		}
	}
	return 0
}
