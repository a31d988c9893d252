// SPDX-License-Identifier: Apache-2.0

// Package reaper collects orphans for PID 1 without taking the exit status of PID 1's own children from whoever waits
// for them. It looks at the next ended child without collecting it (WNOWAIT) and leaves it alone when it is its own.
// Spec: waitid(2). Rule: every child is started by Start, here or nowhere; a child that nobody waits for would hide
// the orphans that ended after it.
package reaper

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const drainStep = 20 * time.Millisecond

// Reaper knows the children that somebody waits for. It is safe for concurrent use.
type Reaper struct {
	mu  sync.Mutex
	own map[int]int // children by process id; a counter, as the kernel may give an id again before it is forgotten
}

// New returns a reaper without children of its own.
func New() *Reaper { return &Reaper{own: map[int]int{}} }

// Child is a process that must be waited for, once.
type Child struct {
	*os.Process
	reaper *Reaper
}

// Start runs start, such as exec.Cmd.Start, and notes the child before anything can reap it.
func (r *Reaper) Start(start func() (*os.Process, error)) (*Child, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	process, err := start()
	if err != nil {
		return nil, err
	}
	r.own[process.Pid]++
	return &Child{Process: process, reaper: r}, nil
}

// Wait waits for the child to end, and collects the orphans that it hid.
func (c *Child) Wait() (*os.ProcessState, error) {
	state, err := c.Process.Wait()
	c.reaper.forget(c.Pid)
	c.reaper.Reap()
	return state, err
}

// Reap collects every orphan that ended and returns their number. It is to be called for every SIGCHLD, which can
// stand for many children.
func (r *Reaper) Reap() (count int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		pid, err := nextEnded()
		if err != nil || pid == 0 || r.own[pid] > 0 {
			return count
		}
		if collected, err := unix.Wait4(pid, nil, unix.WNOHANG, nil); err == nil && collected == pid {
			count++
		}
	}
}

// Run reaps at every SIGCHLD until ctx ends.
func (r *Reaper) Run(ctx context.Context) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGCHLD)
	defer signal.Stop(signals)
	for {
		r.Reap()
		select {
		case <-signals:
		case <-ctx.Done():
			return
		}
	}
}

// Drain reaps until this process has no child left, and returns whether it came to that within the limit. Orphans
// become children of PID 1, so that PID 1 has none when no other process is left.
func (r *Reaper) Drain(limit time.Duration) bool {
	for deadline := time.Now().Add(limit); ; time.Sleep(drainStep) {
		r.Reap()
		if _, err := nextEnded(); errors.Is(err, unix.ECHILD) {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

func (r *Reaper) forget(pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.own[pid]--; r.own[pid] == 0 {
		delete(r.own, pid)
	}
}

// childInfo is the part of siginfo_t that waitid fills, for 64-bit architectures.
// Spec: Linux include/uapi/asm-generic/siginfo.h: si_signo, si_errno, si_code, padding, then _sigchld.
type childInfo struct {
	signo, errno, code, _ int32 //    0..15
	pid                   int32 //   16..19
	_                     [108]byte
}

// nextEnded returns a child that ended and is not collected, or 0. The error is ECHILD when there is no child at all.
func nextEnded() (int, error) {
	var info childInfo
	for {
		err := unix.Waitid(unix.P_ALL, 0, (*unix.Siginfo)(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return int(info.pid), err
		}
	}
}
