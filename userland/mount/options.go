// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// flag is what an option does to the flags of mount(2).
type flag struct {
	set, clear uintptr
}

// flags are the options that the kernel takes as bits. Spec: mount(8), "filesystem-independent mount options".
var flags = map[string]flag{
	"ro": {set: unix.MS_RDONLY}, "rw": {clear: unix.MS_RDONLY},
	"nosuid": {set: unix.MS_NOSUID}, "suid": {clear: unix.MS_NOSUID},
	"nodev": {set: unix.MS_NODEV}, "dev": {clear: unix.MS_NODEV},
	"noexec": {set: unix.MS_NOEXEC}, "exec": {clear: unix.MS_NOEXEC},
	"sync": {set: unix.MS_SYNCHRONOUS}, "async": {clear: unix.MS_SYNCHRONOUS},
	"dirsync": {set: unix.MS_DIRSYNC},
	"noatime": {set: unix.MS_NOATIME}, "atime": {clear: unix.MS_NOATIME},
	"nodiratime": {set: unix.MS_NODIRATIME}, "diratime": {clear: unix.MS_NODIRATIME},
	"relatime": {set: unix.MS_RELATIME}, "norelatime": {clear: unix.MS_RELATIME},
	"strictatime": {set: unix.MS_STRICTATIME}, "nostrictatime": {clear: unix.MS_STRICTATIME},
	"lazytime": {set: unix.MS_LAZYTIME}, "nolazytime": {clear: unix.MS_LAZYTIME},
	"iversion": {set: unix.MS_I_VERSION}, "noiversion": {clear: unix.MS_I_VERSION},
	"nosymfollow": {set: unix.MS_NOSYMFOLLOW}, "symfollow": {clear: unix.MS_NOSYMFOLLOW},
	"silent": {set: unix.MS_SILENT}, "loud": {clear: unix.MS_SILENT},
	"bind": {set: unix.MS_BIND}, "rbind": {set: unix.MS_BIND | unix.MS_REC},
	"remount":  {set: unix.MS_REMOUNT},
	"defaults": {clear: unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_SYNCHRONOUS},
}

// propagations are set by a call of their own, after the mount.
var propagations = map[string]uintptr{
	"shared": unix.MS_SHARED, "rshared": unix.MS_SHARED | unix.MS_REC,
	"slave": unix.MS_SLAVE, "rslave": unix.MS_SLAVE | unix.MS_REC,
	"private": unix.MS_PRIVATE, "rprivate": unix.MS_PRIVATE | unix.MS_REC,
	"unbindable": unix.MS_UNBINDABLE, "runbindable": unix.MS_UNBINDABLE | unix.MS_REC,
}

// perMount are the flags that each mount has for itself, a bind mount too. Spec: mount(2), "remounting".
const perMount = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME | unix.MS_NODIRATIME |
	unix.MS_RELATIME | unix.MS_STRICTATIME | unix.MS_NOSYMFOLLOW

// refused are options of mount(8) that need what this program does not have.
var refused = []string{"loop", "offset", "sizelimit", "user", "users", "owner", "group", "helper", "verity.roothash"}

// options are those of all -o together, in order.
type options struct {
	flags       uintptr
	cleared     uintptr // flags that an option turned off
	propagation []uintptr
	data        []string // for the file system
	keeps       bool     // some option speaks of a per-mount flag, so that a bind mount needs a second call
}

func (o *options) parse(text string) error {
	for _, word := range split(text) {
		name, _, _ := strings.Cut(word, "=")
		f, isFlag := flags[word]
		p, isPropagation := propagations[word]
		switch {
		case isFlag:
			o.flags, o.cleared = o.flags&^f.clear|f.set, o.cleared&^f.set|f.clear
			o.keeps = o.keeps || f.set&perMount != 0
		case isPropagation:
			o.propagation = append(o.propagation, p)
		case word == "" || forOthers(name):
		case slices.Contains(refused, name):
			return usageError(fmt.Sprintf("option %q is not supported", name))
		default:
			o.data = append(o.data, word)
		}
	}
	return nil
}

// over applies the options to flags that a mount has.
func (o *options) over(has uintptr) uintptr { return has&^o.cleared | o.flags }

// forOthers tells the options that only fstab and service managers read.
func forOthers(name string) bool {
	return strings.HasPrefix(name, "x-") || strings.HasPrefix(name, "X-") ||
		slices.Contains([]string{"_netdev", "nofail", "auto", "noauto", "nouser", "comment"}, name)
}

// split cuts at commas outside double quotes: context="a,b" is one option. The quotes stay; the kernel reads them.
func split(text string) []string {
	quoted := false
	return strings.FieldsFunc(text, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ',' && !quoted
	})
}
