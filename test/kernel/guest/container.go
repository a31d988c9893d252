// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

const cgroupRoot = "/sys/fs/cgroup"

// cloneNewTime is CLONE_NEWTIME, which package syscall does not name.
const cloneNewTime = 0x80

func controllers() error {
	const all = "cpuset cpu io memory hugetlb pids rdma misc"
	var enable []string
	for name := range strings.FieldsSeq(all) {
		if err := contains(cgroupRoot+"/cgroup.controllers", name); err != nil {
			return err
		}
		enable = append(enable, "+"+name)
	}
	return os.WriteFile(cgroupRoot+"/cgroup.subtree_control", []byte(strings.Join(enable, " ")), 0)
}

func overlay() error {
	base := "/tmp/overlay"
	for _, dir := range []string{"lower", "upper", "work", "merged"} {
		if err := os.MkdirAll(filepath.Join(base, dir), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(base+"/lower/file", []byte("lower"), 0o644); err != nil {
		return err
	}
	options := "lowerdir=" + base + "/lower,upperdir=" + base + "/upper,workdir=" + base + "/work"
	if err := syscall.Mount("overlay", base+"/merged", "overlay", 0, options); err != nil {
		return err
	}
	if err := os.WriteFile(base+"/merged/file", []byte("upper"), 0o644); err != nil {
		return err
	}
	return contains(base+"/upper/file", "upper")
}

// container starts this program again as a container would be: in namespaces of its own, below limits of its own.
func container() error {
	group := cgroupRoot + "/pod"
	if err := os.MkdirAll(group, 0o755); err != nil {
		return err
	}
	limits := map[string]string{"memory.max": "67108864", "pids.max": "64", "cpu.max": "50000 100000", "cpu.weight": "50"}
	for file, value := range limits {
		if err := os.WriteFile(filepath.Join(group, file), []byte(value), 0); err != nil {
			return err
		}
	}
	cgroup, err := os.Open(group)
	if err != nil {
		return err
	}
	defer cgroup.Close()
	child := exec.Command("/proc/self/exe", "contained")
	child.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET |
			syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS | syscall.CLONE_NEWCGROUP,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 100000, Size: 65536}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 100000, Size: 65536}},
		Credential:  &syscall.Credential{Uid: 0, Gid: 0}, // the container's root, which is nobody outside
		UseCgroupFD: true, CgroupFD: int(cgroup.Fd()),
	}
	out, err := child.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "contained" {
		return fmt.Errorf("%v: %s", err, out)
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_UNSHARE, cloneNewTime, 0, 0); errno != 0 {
		return fmt.Errorf("time namespace: %v", errno)
	}
	return nil
}

// contained is the container's own view.
func contained() {
	fail := func(what string, err error) {
		if err != nil {
			fmt.Println(what, err)
			os.Exit(1)
		}
	}
	if os.Getpid() != 1 {
		fail("pid", fmt.Errorf("%d", os.Getpid()))
	}
	fail("host name", syscall.Sethostname([]byte("pod")))
	fail("private mounts", syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
	fail("proc", syscall.Mount("proc", "/proc", "proc", 0, ""))
	fail("tmpfs", syscall.Mount("tmpfs", "/tmp", "tmpfs", 0, ""))
	fail("overlay of an unprivileged user", overlay())
	fail("limits", contains("/proc/self/cgroup", "0::/"))
	fail("link of its own", addLink("dummy0", "dummy", nil))
	fmt.Println("contained")
}
