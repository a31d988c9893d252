// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const resolveLimit = 10 * time.Second

// system is the kernel that runs.
type system struct{}

func (system) Mount(source, target, kind string, flags uintptr, data string) error {
	return unix.Mount(source, target, kind, flags, data)
}

func (system) Unmount(target string, flags int) error { return unix.Unmount(target, flags) }

func (system) ReadFile(path string) ([]byte, error) { return os.ReadFile(path) }

// Statfs gives the flags of the mount that the path is on, as mount(2) takes them. Most have the same value in
// statfs(2). Spec: Linux include/linux/statfs.h.
func (system) Statfs(path string) (uintptr, error) {
	const statRelatime, statNoSymFollow = 0x1000, 0x2000
	const same = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_NODIRATIME
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, err
	}
	flags := uintptr(s.Flags) & same
	if s.Flags&statRelatime != 0 {
		flags |= unix.MS_RELATIME
	}
	if s.Flags&statNoSymFollow != 0 {
		flags |= unix.MS_NOSYMFOLLOW
	}
	return flags, nil
}

func (system) Resolve(host string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), resolveLimit)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return "", err
	}
	return addresses[0], nil
}

// list prints the mounts as mount(8) without arguments does.
func list(k kernel, stdout io.Writer) error {
	text, err := k.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 4 {
			if _, err := fmt.Fprintf(stdout, "%s on %s type %s (%s)\n", unescape.Replace(f[0]), unescape.Replace(f[1]), f[2], f[3]); err != nil {
				return err
			}
		}
	}
	return nil
}
