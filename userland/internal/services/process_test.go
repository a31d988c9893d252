// SPDX-License-Identifier: Apache-2.0

package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/cgroup"
)

func TestProcessWritesToItsLogAndFinishes(t *testing.T) {
	b := newBench(t, Definition{ID: "x", Command: command("hello"), Restart: OnFailure})
	b.start(t, "x")
	b.journal.await(t, "x FINISHED", 1)
	if got := b.lines(t, "x", 2); !slices.Equal(got, []string{"hello", "error"}) {
		t.Errorf("log %q", got)
	}
	var states []string
	for _, e := range b.journal.all() {
		states = append(states, strings.Fields(e)[1])
	}
	if want := []string{"STARTING", "PREPARING", "RUNNING", "FINISHED"}; !slices.Equal(states, want) {
		t.Errorf("states %v", states)
	}
	b.start(t, "x")
	b.journal.await(t, "x FINISHED", 2)
}

func TestPolicies(t *testing.T) {
	good, bad := func(context.Context, io.Writer) error { return nil }, func(context.Context, io.Writer) error { return errors.New("no") }
	for _, tc := range []struct {
		name   string
		d      Definition
		prefix string
		count  int
	}{
		{"process once", Definition{Command: command("fail"), Restart: Once}, "x FAILED Failed: exit status 3", 1},
		{"process again", Definition{Command: command("fail")}, "x WAITING Failed: exit status 3, starting again in 1ms", 1},
		{"failure once", Definition{Run: bad, Restart: Once}, "x FAILED Failed: no", 1},
		{"failure again", Definition{Run: bad, Restart: OnFailure}, "x WAITING Failed: no, starting again in ", 3},
		{"failure always", Definition{Run: bad}, "x WAITING Failed: no, starting again in 8ms", 2},
		{"success once", Definition{Run: good, Restart: Once}, "x FINISHED", 1},
		{"success", Definition{Run: good, Restart: OnFailure}, "x FINISHED", 1},
		{"success always", Definition{Run: good}, "x WAITING Ended, starting again in 8ms", 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.d.ID = "x"
			b := newBench(t, tc.d)
			b.start(t, "x")
			b.journal.await(t, tc.prefix, tc.count)
		})
	}
}

func TestProcessThatCannotStartFails(t *testing.T) {
	b := newBench(t,
		Definition{ID: "x", Command: Command{Path: "/nonexistent"}, Restart: Once},
		Definition{ID: "y", Command: Command{Path: "/proc/self/exe", Terminals: []string{"/nonexistent"}}, Restart: Once})
	b.start(t, "x", "y")
	b.journal.await(t, "x FAILED Failed: start /nonexistent: fork/exec /nonexistent: no such file", 1)
	b.journal.await(t, "y FAILED Failed: start /proc/self/exe: open terminal: open /nonexistent", 1)
}

func TestStopAsksAndThenKills(t *testing.T) {
	b := newBench(t,
		Definition{ID: "polite", Command: command("sleep")},
		Definition{ID: "deaf", Command: command("deaf"), StopAfter: 50 * time.Millisecond})
	b.start(t, "polite", "deaf")
	b.lines(t, "polite", 1)
	b.lines(t, "deaf", 1)
	for _, id := range []string{"polite", "deaf"} {
		if err := b.Stop(context.Background(), id); err != nil {
			t.Error(err)
		}
		b.journal.await(t, id+" FINISHED", 1)
	}
	b.journal.await(t, "deaf STOPPING Killing PID", 1)
	if slices.ContainsFunc(b.journal.all(), func(e string) bool { return strings.HasPrefix(e, "polite STOPPING Killing") }) {
		t.Error("a polite process was killed")
	}
}

func TestStopEndsWhatTheProcessStarted(t *testing.T) {
	b := newBench(t, Definition{ID: "x", Command: command("parent")})
	b.start(t, "x")
	var pid int
	for _, line := range b.lines(t, "x", 2) {
		fmt.Sscanf(line, "child %d", &pid)
	}
	if err := b.Stop(context.Background(), "x"); err != nil || pid == 0 || !gone(pid) {
		t.Errorf("child %d lives: %v", pid, err)
	}
}

func TestRestartMakesANewProcess(t *testing.T) {
	b := newBench(t, Definition{ID: "x", Command: command("sleep")})
	b.start(t, "x", "x") // the second does nothing
	b.lines(t, "x", 1)
	if err := b.Replace(Definition{ID: "x", Command: command("hello"), Restart: Once}); err != nil {
		t.Fatal(err)
	}
	if err := b.Restart(context.Background(), "x"); err != nil {
		t.Fatal(err)
	}
	if got := b.lines(t, "x", 3); !slices.Equal(got, []string{"up", "hello", "error"}) {
		t.Errorf("log %q", got)
	}
}

func TestProcessHasOnlyTheRightsItIsGiven(t *testing.T) {
	terminal := filepath.Join(t.TempDir(), "terminal")
	os.WriteFile(terminal, nil, 0o600)
	c := command("rights")
	c.UID, c.GID, c.Groups = 50, 51, []uint32{5}
	c.Capabilities, c.OOMScore, c.Terminals = []Capability{NetBindService}, 321, []string{terminal}
	b := newBench(t, Definition{ID: "x", Command: c, Restart: Once},
		Definition{ID: "root", Command: Command{Path: c.Path, Env: c.Env}, Restart: Once})
	b.start(t, "x")
	b.journal.await(t, "x FINISHED", 1)
	const bind = "0000000000000400"
	want := []string{"Uid 50 50 50 50", "Gid 51 51 51 51", "Groups 5", "CapInh " + bind, "CapPrm " + bind, "CapEff " + bind,
		"CapBnd " + bind, "CapAmb " + bind, "NoNewPrivs 1", "leader true stdin /dev/null dir / oom 321 env 1", "terminal <nil>"}
	if got := b.lines(t, "x", len(want)); !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if text, _ := os.ReadFile(terminal); string(text) != "drawn" {
		t.Errorf("terminal %q", text)
	}
	b.start(t, "root")
	b.journal.await(t, "root FINISHED", 1)
	if got := b.lines(t, "root", 9); got[5] != "CapEff 0000000000000000" || got[6] != "CapBnd 0000000000000000" {
		t.Errorf("root without capabilities: %q", got)
	}
	mine, _ := os.ReadFile("/proc/thread-self/status")
	if !strings.Contains(string(mine), "NoNewPrivs:\t0") {
		t.Error("the supervisor itself lost rights")
	}
}

// TestControlGroup runs where a cgroup2 is mounted that may be written to.
func TestControlGroup(t *testing.T) {
	needRights(t)
	root := ""
	for _, dir := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var fs unix.Statfs_t
		if unix.Statfs(dir, &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
			root = dir
		}
	}
	path := fmt.Sprintf("dodeka-services-%d", os.Getpid())
	tree := cgroup.New(root)
	group, err := tree.Make(path, cgroup.Limits{})
	if root == "" || err != nil {
		t.Skip("no cgroup2 that may be written to")
	}
	defer group.Remove()
	c := command("parent")
	c.LeaveChildren = true
	b := newBench(t, Definition{ID: "x", Command: c, Cgroup: Limits{Path: path}})
	b.Supervisor.options.Cgroups = tree
	b.start(t, "x")
	b.lines(t, "x", 2)
	if err := b.Stop(context.Background(), "x"); err != nil || !group.Populated() {
		t.Errorf("the child did not outlive the stop: %v", err)
	}
	if err := b.StopAll(context.Background()); err != nil || group.Populated() {
		t.Errorf("the child outlived the machine: %v", err)
	}
}
