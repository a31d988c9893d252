// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// handedOver are the mounts that /sbin/init finds as it starts; the medium lies below /run.
var handedOver = []string{"/proc", "/sys", "/dev", "/run"}

// switchRoot does not return when it succeeds.
func switchRoot(b *boot) error {
	if err := keepMachineConfig(embeddedConfig, keptConfig); err != nil {
		return fmt.Errorf("machine configuration: %w", err)
	}
	for _, dir := range handedOver {
		if err := unix.Mount(dir, newRoot+dir, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move %s: %w", dir, err)
		}
	}
	if err := os.Chdir(newRoot); err != nil {
		return err
	}
	if err := emptyInitramfs("/"); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	b.out.Drain()
	err := unix.Exec("/sbin/init", []string{"/sbin/init"}, []string{"PATH=/sbin"})
	return fmt.Errorf("exec /sbin/init: %w", err)
}

// emptyInitramfs frees the memory of the initramfs, but for what stands for a medium. It refuses to delete from anything
// but a memory file system, and it stays on that one.
func emptyInitramfs(root string) error {
	var system unix.Statfs_t
	if err := unix.Statfs(root, &system); err != nil {
		return err
	}
	if system.Type != unix.TMPFS_MAGIC && system.Type != unix.RAMFS_MAGIC {
		return fmt.Errorf("%s is not an initramfs", root)
	}
	var top unix.Stat_t
	if err := unix.Lstat(root, &top); err != nil {
		return err
	}
	removeBelow(root, top.Dev, filepath.Join(root, carried))
	return nil
}

// removeBelow deletes what it can on one device, except one folder; what cannot be deleted only costs memory.
func removeBelow(dir string, device uint64, except string) {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		var info unix.Stat_t
		if path == except || unix.Lstat(path, &info) != nil || info.Dev != device {
			continue
		}
		if entry.IsDir() {
			removeBelow(path, device, except)
		}
		_ = os.Remove(path)
	}
}
