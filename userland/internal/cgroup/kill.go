// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const pollStep = 10 * time.Millisecond

// Open returns a descriptor of the group's directory, to start a process inside it (SysProcAttr.CgroupFD).
func (g *Group) Open() (*os.File, error) {
	return os.OpenFile(g.path, os.O_RDONLY|unix.O_DIRECTORY, 0)
}

// Kill ends every process of the group and of the groups below it, and waits until they are gone. A process that forks
// cannot outrun it: the kernel kills the whole group at once (cgroup.kill), or, where it lacks that, the group is frozen
// while each process is killed.
func (g *Group) Kill(ctx context.Context) error {
	err := write(filepath.Join(g.path, "cgroup.kill"), "1")
	if errors.Is(err, fs.ErrNotExist) {
		err = g.freezeAndKill(ctx)
	}
	if err != nil {
		return fmt.Errorf("kill cgroup: %w", err)
	}
	return g.wait(ctx, func() bool { return g.event("populated") == 0 })
}

// Populated tells whether the group or one below it has a process.
func (g *Group) Populated() bool { return g.event("populated") != 0 }

// Remove deletes the group and those below it. They must have no process.
func (g *Group) Remove() error {
	dirs, err := g.directories()
	if err != nil {
		return err
	}
	for _, dir := range slices.Backward(dirs) {
		if err := unix.Rmdir(dir); err != nil && err != unix.ENOENT {
			return &fs.PathError{Op: "rmdir", Path: dir, Err: err}
		}
	}
	return nil
}

func (g *Group) freezeAndKill(ctx context.Context) error {
	freeze := filepath.Join(g.path, "cgroup.freeze")
	if err := write(freeze, "1"); err != nil {
		return err
	}
	frozen := g.wait(ctx, func() bool { return g.event("frozen") == 1 })
	dirs, err := g.directories()
	for _, dir := range dirs {
		text, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 1 {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
	}
	return errors.Join(frozen, err, write(freeze, "0"))
}

// directories lists the group and those below it, parents first.
func (g *Group) directories() ([]string, error) {
	var dirs []string
	err := filepath.WalkDir(g.path, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			return nil
		}
		return err
	})
	return dirs, err
}

func (g *Group) wait(ctx context.Context, done func() bool) error {
	for !done() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("cgroup %s: %w", g.path, ctx.Err())
		case <-time.After(pollStep):
		}
	}
	return nil
}

// event reads a value of cgroup.events. A group that is gone has no events: 0.
func (g *Group) event(key string) uint64 {
	return keyed(filepath.Join(g.path, "cgroup.events"), key)
}
