// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// first are the file systems that are tried without a type before those that the kernel lists, because their drivers
// may not be loaded yet.
var first = []string{"ext4", "xfs"}

func mountCommand(arguments []string, k kernel, stdout io.Writer) error {
	r, err := parseMount(arguments)
	switch {
	case err != nil:
		return err
	case r.version:
		_, err = fmt.Fprintln(stdout, "mount of Dodeka: mount(2) only")
		return err
	case r.list:
		return list(k, stdout)
	}
	for _, step := range []func(request, kernel) error{mountTarget, propagate} {
		if err := step(r, k); err != nil {
			return err
		}
	}
	return nil
}

// mountTarget makes the calls of mount(2) for everything but propagation.
func mountTarget(r request, k kernel) error {
	o := r.options
	data := strings.Join(o.data, ",")
	switch {
	case o.flags&unix.MS_REMOUNT != 0:
		return remount(r, k, data)
	case o.flags&unix.MS_BIND != 0:
		return bind(r, k)
	case r.source == "" && len(o.propagation) > 0 && o.flags == 0 && data == "" && r.kind == "":
		return nil
	case r.source == "":
		return usageError(fmt.Sprintf("%s: no source is given, and there is no fstab to find one in", r.target))
	case r.kind == "nfs" || r.kind == "nfs4":
		return mountNFS(r, k)
	case r.kind == "" || r.kind == "auto":
		return mountAny(r, k, data)
	}
	return wrap(r.target, "mount failed", k.Mount(r.source, r.target, r.kind, o.flags, data))
}

// remount changes a mount. With the mount point alone, the flags that it has are kept, as mount(8) does it.
func remount(r request, k kernel, data string) error {
	o := r.options
	if r.source == "" {
		has, err := k.Statfs(r.target)
		if err != nil {
			return wrap(r.target, "", err)
		}
		o.flags = o.over(has)
	}
	return wrap(r.target, "remount failed", k.Mount(r.source, r.target, r.kind, o.flags, data))
}

// bind needs a second call for flags such as ro: the first ignores them.
func bind(r request, k kernel) error {
	if r.source == "" {
		return usageError(fmt.Sprintf("%s: a bind mount needs a source", r.target))
	}
	o := r.options
	if err := k.Mount(r.source, r.target, "", o.flags&(unix.MS_BIND|unix.MS_REC|unix.MS_SILENT), ""); err != nil {
		return wrap(r.target, "bind mount failed", err)
	}
	if !o.keeps {
		return nil
	}
	err := k.Mount("", r.target, "", unix.MS_REMOUNT|unix.MS_BIND|o.flags&perMount, "")
	if err != nil { // half a mount is not what was asked for
		_ = k.Unmount(r.target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	}
	return wrap(r.target, "bind mount failed", err)
}

func propagate(r request, k kernel) error {
	for _, p := range r.options.propagation {
		if err := k.Mount("none", r.target, "", p, ""); err != nil {
			return wrap(r.target, "change of propagation failed", err)
		}
	}
	return nil
}

// mountAny tries one file system after the other, as the caller leaves it to us to find out.
func mountAny(r request, k kernel, data string) error {
	text, err := k.ReadFile("/proc/filesystems")
	if err != nil {
		return err
	}
	kinds := slices.Clone(first)
	for line := range strings.Lines(string(text)) {
		if kind, ok := strings.CutPrefix(line, "\t"); ok && !slices.Contains(kinds, strings.TrimSpace(kind)) {
			kinds = append(kinds, strings.TrimSpace(kind))
		}
	}
	for _, kind := range kinds {
		err = k.Mount(r.source, r.target, kind, r.options.flags|unix.MS_SILENT, data)
		if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.EUCLEAN) {
			break
		}
	}
	return wrap(r.target, "mount failed", err)
}

func wrap(target, what string, err error) error {
	if err == nil {
		return nil
	}
	return failure{target, what, err}
}
