// SPDX-License-Identifier: Apache-2.0

// Package cgroup keeps the tree of control groups: /init for PID 1, /system/<service>, /podruntime/<service>; the
// kubelet makes /kubepods by itself. A group has limits, tells its usage, and ends all its processes at once.
// Spec: Linux Documentation/admin-guide/cgroup-v2.rst. Left out: version 1, threaded groups.
package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Groups of the first level.
const (
	initGroup  = "init"
	System     = "system"
	PodRuntime = "podruntime"
)

// controllers are handed down to every group where the kernel has them; the kubelet asks for all of these.
var controllers = []string{"cpu", "cpuset", "io", "memory", "hugetlb", "pids"}

// Limits of a group. Zero leaves the kernel's default.
type Limits struct {
	MemoryMax uint64 // bytes; more ends in the group's own out-of-memory kill
	MemoryMin uint64 // bytes that are not reclaimed for others
	CPUWeight uint64 // 1 to 10000, the default is 100
	PIDsMax   uint64 // tasks
}

// Tree is a mounted hierarchy.
type Tree struct{ root string }

// Group is one directory of the tree.
type Group struct {
	path string
}

// New takes the mount point, "/sys/fs/cgroup".
func New(root string) *Tree { return &Tree{root: root} }

// Setup makes the groups of the first level, moves PID 1 out of the root, and hands the controllers down. pid is 1.
func (t *Tree) Setup(pid int) error {
	for _, name := range []string{initGroup, System, PodRuntime} {
		if err := os.MkdirAll(filepath.Join(t.root, name), 0o755); err != nil {
			return err
		}
	}
	if err := write(filepath.Join(t.root, initGroup, "cgroup.procs"), strconv.Itoa(pid)); err != nil {
		return err
	}
	for _, name := range []string{"", System, PodRuntime} {
		if err := handDown(filepath.Join(t.root, name)); err != nil {
			return err
		}
	}
	return nil
}

// Make returns the group with this path below the root, such as "system/apid", with these limits. It makes what does
// not exist. A limit whose controller the kernel lacks is an error.
func (t *Tree) Make(path string, l Limits) (*Group, error) {
	if !filepath.IsLocal(path) || filepath.Clean(path) != path || path == "." {
		return nil, fmt.Errorf("cgroup %q: expected a path below the root of the tree", path)
	}
	at := t.root
	for _, name := range strings.Split(path, "/") {
		if at != t.root {
			if err := handDown(at); err != nil {
				return nil, err
			}
		}
		at = filepath.Join(at, name)
		if err := os.Mkdir(at, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
	}
	g := &Group{path: at}
	return g, g.setLimits(l)
}

func (g *Group) setLimits(l Limits) error {
	for _, limit := range []struct {
		file  string
		value uint64
	}{
		{"memory.max", l.MemoryMax}, {"memory.min", l.MemoryMin}, {"cpu.weight", l.CPUWeight}, {"pids.max", l.PIDsMax},
	} {
		if limit.value == 0 {
			continue
		}
		if err := write(filepath.Join(g.path, limit.file), strconv.FormatUint(limit.value, 10)); err != nil {
			return fmt.Errorf("limit %s=%d: %w", limit.file, limit.value, err)
		}
	}
	return nil
}

// handDown enables each controller that the group has for its children.
func handDown(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	if err != nil {
		return err
	}
	has := strings.Fields(string(text))
	var enable []string
	for _, c := range controllers {
		if slices.Contains(has, c) {
			enable = append(enable, "+"+c)
		}
	}
	if len(enable) == 0 {
		return nil
	}
	if err := write(filepath.Join(dir, "cgroup.subtree_control"), strings.Join(enable, " ")); err != nil {
		return fmt.Errorf("enable controllers: %w", err)
	}
	return nil
}

// write gives the kernel one value. It never creates a file: a missing one means a missing controller.
func write(path, value string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(value)
	return errors.Join(err, file.Close())
}
