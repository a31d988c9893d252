// SPDX-License-Identifier: Apache-2.0

package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/cgroup"
	"dodeka/userland/internal/reaper"
)

const (
	killWait  = 10 * time.Second // for the kernel to end what was killed
	flushWait = time.Second      // for the last lines of a process that ended
)

// process is one process that runs, with what belongs to it.
type process struct {
	unit   *unit
	d      Definition
	child  *reaper.Child
	group  *cgroup.Group // nil without a tree of control groups
	ended  chan error
	output *os.File // the reading end; closed by copyOutput
	copied chan struct{}
}

// runProcess starts the process and returns when it ended. When ctx ends, the process is asked to end, and is killed
// together with all that it started when it does not.
func (u *unit) runProcess(ctx context.Context, d Definition) error {
	return u.watched(ctx, d, func(ctx context.Context, started func()) error {
		p, err := u.launch(d)
		if err != nil {
			return fmt.Errorf("start %s: %w", d.Command.Path, err)
		}
		u.recordRunning(p.child.Pid, fmt.Sprintf("Process %s started with PID %d", d.Command.Path, p.child.Pid))
		started()
		select {
		case err = <-p.ended:
		case <-ctx.Done():
			u.record(stateStopping, "Stopping")
			err = p.end()
		}
		p.clear()
		return err
	})
}

// launch makes the control group and the process in it.
func (u *unit) launch(d Definition) (*process, error) {
	o := u.supervisor.options
	p := &process{unit: u, d: d, ended: make(chan error, 1), copied: make(chan struct{})}
	if o.Cgroups != nil {
		var err error
		if p.group, err = o.Cgroups.Make(d.Cgroup.Path, d.Cgroup.Limits); err != nil {
			return nil, err
		}
	}
	reading, writing, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer writing.Close()
	p.child, err = start(o.Reaper, d.Command, p.group, writing)
	if err != nil {
		reading.Close()
		return nil, err
	}
	p.output = reading
	go p.copyOutput(o.Logs.Writer(u.id))
	go func() {
		state, err := p.child.Wait()
		if err == nil && !state.Success() {
			err = errors.New(state.String())
		}
		p.ended <- err
	}()
	return p, nil
}

// copyOutput ends when every process that has the writing end is gone, or when clear has waited long enough.
func (p *process) copyOutput(log io.WriteCloser) {
	defer close(p.copied)
	_, _ = io.Copy(log, p.output)
	_ = log.Close()
	_ = p.output.Close()
}

// end asks and then kills. An exit status that follows from being asked is no failure.
func (p *process) end() error {
	_ = p.child.Signal(unix.SIGTERM)
	select {
	case <-p.ended:
		return nil
	case <-time.After(p.d.StopAfter):
	}
	p.unit.record(stateStopping, fmt.Sprintf("Killing PID %d: it did not end within %s", p.child.Pid, p.d.StopAfter))
	_ = p.child.Kill()
	select {
	case <-p.ended:
		return nil
	case <-time.After(killWait):
		return fmt.Errorf("PID %d %w, nor when killed", p.child.Pid, errStuck)
	}
}

// clear ends what the process left behind, unless that is to go on without it.
func (p *process) clear() {
	if p.d.Command.LeaveChildren {
		return // their output is copied as long as they live
	}
	if err := p.unit.killGroup(context.Background(), p.group); err != nil {
		p.unit.supervisor.options.Log("service %s: %v", p.unit.id, err)
	}
	if p.group == nil {
		_ = unix.Kill(-p.child.Pid, unix.SIGKILL) // the process leads a session, and so a process group
	}
	select {
	case <-p.copied:
	case <-time.After(flushWait):
		_ = p.output.SetReadDeadline(time.Now())
		<-p.copied
	}
}

// clear ends what earlier runs of the service left running, for the end of the machine.
func (u *unit) clear(ctx context.Context) error {
	d, o := u.current(), u.supervisor.options
	if d.Run != nil || o.Cgroups == nil || !d.Command.LeaveChildren {
		return nil
	}
	group, err := o.Cgroups.Make(d.Cgroup.Path, cgroup.Limits{})
	if err != nil {
		return err
	}
	return u.killGroup(ctx, group)
}

func (u *unit) killGroup(ctx context.Context, group *cgroup.Group) error {
	if group == nil || !group.Populated() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, killWait)
	defer cancel()
	return group.Kill(ctx)
}
