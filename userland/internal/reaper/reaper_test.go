// SPDX-License-Identifier: Apache-2.0

package reaper

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The test binary is its own child: it ends with a code, or leaves orphans behind.
func TestMain(m *testing.M) {
	if code := os.Getenv("REAPER_TEST_EXIT"); code != "" {
		n, _ := strconv.Atoi(code)
		os.Exit(n)
	}
	if count := os.Getenv("REAPER_TEST_ORPHANS"); count != "" {
		n, _ := strconv.Atoi(count)
		for range n {
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = []string{"REAPER_TEST_EXIT=3"}
			if cmd.Start() != nil {
				os.Exit(1)
			}
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func child(env string) func() (*os.Process, error) {
	return func() (*os.Process, error) {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = []string{env}
		err := cmd.Start()
		return cmd.Process, err
	}
}

func TestInfoHasTheKernelsSize(t *testing.T) {
	if got, want := unsafe.Sizeof(childInfo{}), unsafe.Sizeof(unix.Siginfo{}); got != want {
		t.Errorf("got %d, want %d", got, want)
	}
}

func TestChildrenKeepTheirStatusWhileOrphansAreReaped(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil { // what PID 1 is by nature
		t.Skip(err)
	}
	r := New()
	ctx, cancel := context.WithCancel(context.Background())
	var run, wait sync.WaitGroup
	run.Go(func() { r.Run(ctx) })
	for i := range 12 {
		wait.Go(func() {
			env, want := "REAPER_TEST_EXIT="+strconv.Itoa(i), i
			if i%4 == 0 {
				env, want = "REAPER_TEST_ORPHANS=3", 0
			}
			c, err := r.Start(child(env))
			if err != nil {
				t.Error(err)
				return
			}
			if state, err := c.Wait(); err != nil || state.ExitCode() != want {
				t.Errorf("child %d: %v %v", i, state, err)
			}
		})
	}
	wait.Wait()
	if !r.Drain(20 * time.Second) {
		t.Error("children are left")
	}
	cancel()
	run.Wait()
	if len(r.own) != 0 {
		t.Errorf("not forgotten: %v", r.own)
	}
}

func TestReapLeavesItsOwnChildren(t *testing.T) {
	r := New()
	c, err := r.Start(child("REAPER_TEST_EXIT=7"))
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if pid, _ := nextEnded(); pid == c.Pid {
			break
		}
	}
	if n := r.Reap(); n != 0 {
		t.Errorf("reaped %d", n)
	}
	if state, err := c.Wait(); err != nil || state.ExitCode() != 7 {
		t.Errorf("%v %v", state, err)
	}
	if _, err := r.Start(func() (*os.Process, error) { return nil, unix.ENOENT }); err != unix.ENOENT || len(r.own) != 0 {
		t.Error("a child that did not start is noted")
	}
}
