// SPDX-License-Identifier: Apache-2.0

// Package mounts sets up the file systems that the kernel itself provides, from a table.
// Spec: mount(2).
package mounts

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Flags of most entries.
const (
	NoSuid   = unix.MS_NOSUID
	NoDev    = unix.MS_NODEV
	NoExec   = unix.MS_NOEXEC
	DataOnly = NoSuid | NoDev | NoExec // neither set-uid files, nor devices, nor programs
)

// Entry is one row of a table.
type Entry struct {
	Target   string
	Kind     string // of file system
	Flags    uintptr
	Data     string
	Optional bool // the kernel may lack it: EFI variables on BIOS
}

// All mounts the entries in order. A directory that does not exist is made where the file system above allows it; what
// is already mounted, such as what stage1 handed over, stays as it is.
func All(entries []Entry) error {
	for _, e := range entries {
		if err := mountOne(e); err != nil && !e.Optional {
			return fmt.Errorf("mount %s on %s: %w", e.Kind, e.Target, err)
		}
	}
	return nil
}

func mountOne(e Entry) error {
	if mounted(e) {
		return nil
	}
	if err := os.Mkdir(e.Target, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	err := unix.Mount(e.Kind, e.Target, e.Kind, e.Flags, e.Data)
	if errors.Is(err, unix.EBUSY) {
		return nil
	}
	return err
}

func mounted(e Entry) bool {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return false
	}
	for _, m := range Parse(string(text)) {
		if m.Target == e.Target && m.Kind == e.Kind {
			return true
		}
	}
	return false
}

// Parse reads /proc/self/mounts: only Target and Kind are filled. Spec: proc_pid_mounts(5), octal escapes.
func Parse(text string) []Entry {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var entries []Entry
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) >= 3 {
			entries = append(entries, Entry{Target: unescape.Replace(fields[1]), Kind: fields[2]})
		}
	}
	return entries
}
