// SPDX-License-Identifier: Apache-2.0

// guest is the /init of a test machine: it does on the kernel what containers need, and tries what must not work. Each
// check prints "check NAME ok" or "check NAME FAILED reason"; "checks done" is the last line. Standard library only.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// check is one thing that the kernel must do or refuse.
type check struct {
	name string
	run  func() error
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "contained" {
		contained()
		return
	}
	prepare()
	checks := []check{
		{"security modules are on", securityModules},
		{"type information is there", typeInformation},
		{"memory and ports are closed", closedDoors},
		{"another kernel is refused", refusesKexec},
		{"unprivileged BPF is off", unprivilegedBPF},
		{"cgroup v2 has its controllers", controllers},
		{"overlayfs merges", overlay},
		{"links of pod networks", links},
		{"nftables takes rules", nftables},
		{"a container runs in all namespaces", container},
		{"a foreign module is refused", foreignModule},
		{"modules come from the pinned root only", pinnedRoot},
	}
	for _, c := range checks {
		if err := c.run(); err != nil {
			fmt.Printf("check %s FAILED %v\n", c.name, err)
		} else {
			fmt.Printf("check %s ok\n", c.name)
		}
	}
	fmt.Println("checks done")
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
}

func prepare() {
	for _, m := range []struct{ kind, target string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"},
		{"securityfs", "/sys/kernel/security"}, {"cgroup2", "/sys/fs/cgroup"},
	} {
		_ = os.MkdirAll(m.target, 0o755)
		if err := syscall.Mount(m.kind, m.target, m.kind, 0, ""); err != nil && !errors.Is(err, syscall.EBUSY) {
			fmt.Printf("check mount of %s FAILED %v\n", m.target, err)
		}
	}
}

func securityModules() error {
	modules, err := os.ReadFile("/sys/kernel/security/lsm")
	if err != nil {
		return err
	}
	for _, want := range []string{"lockdown", "yama", "landlock", "loadpin", "selinux", "bpf"} {
		if !strings.Contains(string(modules), want) {
			return fmt.Errorf("%s is not in %s", want, modules)
		}
	}
	return contains("/sys/kernel/security/lockdown", "[integrity]")
}

func typeInformation() error {
	info, err := os.Stat("/sys/kernel/btf/vmlinux")
	if err == nil && info.Size() < 1<<20 {
		err = fmt.Errorf("%d bytes only", info.Size())
	}
	return err
}

func closedDoors() error {
	for _, path := range []string{"/dev/mem", "/dev/port", "/proc/kcore"} {
		if _, err := os.Stat(path); err == nil {
			return fmt.Errorf("%s is there", path)
		}
	}
	return nil
}

func refusesKexec() error {
	const kexecLoad, kexecFileLoad = 246, 320
	for _, number := range []uintptr{kexecLoad, kexecFileLoad} {
		if _, _, errno := syscall.Syscall6(number, 0, 0, 0, 0, 0, 0); errno != syscall.ENOSYS {
			return fmt.Errorf("system call %d: %v", number, errno)
		}
	}
	return nil
}

func unprivilegedBPF() error {
	off, err := os.ReadFile("/proc/sys/kernel/unprivileged_bpf_disabled")
	if err == nil && strings.TrimSpace(string(off)) == "0" {
		err = errors.New("it is on")
	}
	return err
}

func contains(file, want string) error {
	content, err := os.ReadFile(file)
	if err == nil && !strings.Contains(string(content), want) {
		err = fmt.Errorf("%s: %q lacks %q", file, content, want)
	}
	return err
}
