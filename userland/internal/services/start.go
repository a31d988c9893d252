// SPDX-License-Identifier: Apache-2.0

package services

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/cgroup"
	"dodeka/userland/internal/reaper"
)

// start makes the process: in its control group and a session of its own, with no standard input, with output as both
// of the other standard files, and with the rights that the command asks for.
func start(r *reaper.Reaper, c Command, group *cgroup.Group, output *os.File) (*reaper.Child, error) {
	terminals, err := openTerminals(c.Terminals)
	defer closeAll(terminals)
	if err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{
		Path: c.Path, Args: append([]string{c.Path}, c.Args...), Env: append([]string{}, c.Env...), Dir: "/",
		Stdout: output, Stderr: output, ExtraFiles: terminals,
		SysProcAttr: &syscall.SysProcAttr{
			Setsid:     true,
			Credential: &syscall.Credential{Uid: c.UID, Gid: c.GID, Groups: c.Groups},
		},
	}
	if c.UID != 0 {
		for _, one := range c.Capabilities {
			cmd.SysProcAttr.AmbientCaps = append(cmd.SysProcAttr.AmbientCaps, uintptr(one))
		}
	}
	if group != nil {
		dir, err := group.Open()
		if err != nil {
			return nil, err
		}
		defer dir.Close()
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
	}
	child, err := r.Start(func() (*os.Process, error) {
		err := withRights(c, cmd.Start)
		return cmd.Process, err
	})
	if err != nil {
		return nil, err
	}
	// PID 1 cannot be chosen by the out-of-memory killer, so that a late adjustment opens no gap.
	score := "/proc/" + strconv.Itoa(child.Pid) + "/oom_score_adj"
	_ = os.WriteFile(score, []byte(strconv.Itoa(c.OOMScore)), 0)
	return child, nil
}

// openTerminals opens devices for the process, which may not do so itself. A terminal never becomes the controlling one.
func openTerminals(paths []string) (files []*os.File, err error) {
	for _, path := range paths {
		file, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
		if err != nil {
			return files, fmt.Errorf("open terminal: %w", err)
		}
		files = append(files, file)
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, file := range files {
		_ = file.Close()
	}
}
