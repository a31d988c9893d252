// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Usage is what a group and those below it use. What the kernel does not tell is 0.
type Usage struct {
	Memory uint64 // bytes
	CPU    time.Duration
	PIDs   uint64
	OOM    uint64 // processes that the kernel killed for want of memory
}

// Usage reads the usage now.
func (g *Group) Usage() Usage {
	return Usage{
		Memory: number(filepath.Join(g.path, "memory.current")),
		CPU:    time.Duration(keyed(filepath.Join(g.path, "cpu.stat"), "usage_usec")) * time.Microsecond,
		PIDs:   number(filepath.Join(g.path, "pids.current")),
		OOM:    keyed(filepath.Join(g.path, "memory.events"), "oom_kill"),
	}
}

func number(path string) uint64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return n
}

// keyed reads one value of a flat-keyed file: lines of "key value".
func keyed(path, key string) uint64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name == key {
			n, _ := strconv.ParseUint(value, 10, 64)
			return n
		}
	}
	return 0
}
