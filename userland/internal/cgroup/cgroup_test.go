// SPDX-License-Identifier: Apache-2.0

package cgroup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fake makes a directory with the files that the kernel would put into each group.
func fake(t *testing.T, groups ...string) *Tree {
	t.Helper()
	root := t.TempDir()
	for _, group := range append(groups, "", initGroup, System, PodRuntime) {
		for name, text := range map[string]string{
			"cgroup.controllers": "cpuset cpu memory pids\n", "cgroup.subtree_control": "", "cgroup.procs": "",
			"cgroup.events": "populated 0\nfrozen 1\n", "cgroup.freeze": "", "memory.max": "", "cpu.weight": "", "pids.max": "",
			"memory.current": "4096\n", "cpu.stat": "usage_usec 1500\nuser_usec 1\n", "memory.events": "max 9\noom_kill 2\n",
		} {
			path := filepath.Join(root, group, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return New(root)
}

func expect(t *testing.T, tree *Tree, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(filepath.Join(tree.root, path)); err != nil || string(got) != want {
		t.Errorf("%s: got %q (%v), want %q", path, got, err, want)
	}
}

func TestSetupMovesInitAndHandsControllersDown(t *testing.T) {
	tree := fake(t)
	if err := tree.Setup(1); err != nil {
		t.Fatal(err)
	}
	expect(t, tree, "init/cgroup.procs", "1")
	for _, group := range []string{"", "system/", "podruntime/"} {
		expect(t, tree, group+"cgroup.subtree_control", "+cpu +cpuset +memory +pids")
	}
	expect(t, tree, "init/cgroup.subtree_control", "")
}

func TestMakeSetsLimits(t *testing.T) {
	tree := fake(t, "system/apid")
	g, err := tree.Make("system/apid", Limits{MemoryMax: 1 << 27, CPUWeight: 50, PIDsMax: 64})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, tree, "system/apid/memory.max", "134217728")
	expect(t, tree, "system/apid/cpu.weight", "50")
	expect(t, tree, "system/apid/pids.max", "64")
	if got, want := g.Usage(), (Usage{Memory: 4096, CPU: 1500 * time.Microsecond, OOM: 2}); got != want {
		t.Errorf("got %+v", got)
	}
	if _, err := tree.Make("system/apid", Limits{MemoryMin: 1}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing controller: %v", err)
	}
	if _, err := tree.Make("system/new", Limits{}); err != nil {
		t.Error(err)
	}
}

func TestMakeRefusesPathsOutside(t *testing.T) {
	tree := fake(t)
	for _, path := range []string{"", ".", "..", "../x", "/system/x", "system/../../x", "system//x", "system/"} {
		if _, err := tree.Make(path, Limits{}); err == nil {
			t.Errorf("%q is accepted", path)
		}
	}
}

func TestKillFreezesWithoutCgroupKill(t *testing.T) {
	tree := fake(t, "system/apid", "system/apid/child")
	sleeper := exec.Command("sleep", "600")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	pid := []byte("1\n0\n" + strconv.Itoa(sleeper.Process.Pid) + "\n") // 1 and 0 must never be signalled
	if err := os.WriteFile(filepath.Join(tree.root, "system/apid/child/cgroup.procs"), pid, 0o644); err != nil {
		t.Fatal(err)
	}
	g, err := tree.Make("system/apid", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Kill(context.Background()); err != nil {
		t.Error(err)
	}
	if err := sleeper.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("got %v", err)
	}
	expect(t, tree, "system/apid/cgroup.freeze", "0")
}

func TestKillWaitsForTheKernel(t *testing.T) {
	tree := fake(t, "system/apid")
	dir := filepath.Join(tree.root, "system/apid")
	os.WriteFile(filepath.Join(dir, "cgroup.kill"), nil, 0o644)
	os.WriteFile(filepath.Join(dir, "cgroup.events"), []byte("populated 1\n"), 0o644)
	g, _ := tree.Make("system/apid", Limits{})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if err := g.Kill(ctx); !errors.Is(err, context.DeadlineExceeded) || !g.Populated() {
		t.Errorf("got %v", err)
	}
	expect(t, tree, "system/apid/cgroup.kill", "1")
}

// TestRealTree runs where cgroup2 may be mounted and written to; controllers are not needed.
func TestRealTree(t *testing.T) {
	root := t.TempDir()
	if err := unix.Mount("none", root, "cgroup2", 0, ""); err != nil {
		t.Skip(err)
	}
	defer unix.Unmount(root, 0)
	path := "dodeka-test-" + strconv.Itoa(os.Getpid())
	g, err := New(root).Make(path+"/child", Limits{})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := g.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	cmd := exec.Command("sleep", "600")
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if !g.Populated() {
		t.Error("the process is elsewhere")
	}
	parent, _ := New(root).Make(path, Limits{})
	if err := parent.Kill(context.Background()); err != nil || g.Populated() {
		t.Errorf("kill: %v", err)
	}
	if err := <-ended; err == nil {
		t.Error("the process ended by itself")
	}
	if err := parent.Remove(); err != nil || parent.Remove() != nil {
		t.Errorf("remove: %v", err)
	}
}
