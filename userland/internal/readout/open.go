// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// openPath opens what a caller's path names, without reading rights (O_PATH), so that no device or pipe notices.
// Symbolic links are followed, but never above the root, and links that the kernel makes up (those in /proc/N/fd, root,
// cwd, exe, ns) are refused: they lead out of the root and into other processes' files.
// A kernel without openat2 gets no weaker lookup, but an error.
func openPath(root Root, name string) (*os.File, error) {
	if strings.ContainsRune(name, 0) {
		return nil, &fs.PathError{Op: "open", Path: strconv.Quote(name), Err: unix.EINVAL}
	}
	dir, err := unix.Open(root.FS, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: root.FS, Err: err}
	}
	defer func() { _ = unix.Close(dir) }()
	return openAt(dir, path.Join("/", name), unix.O_PATH, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
}

// openEntry opens an entry of a directory that is being walked; a link, or a name with a slash, is an error.
func openEntry(dir int, name string, flags uint64) (*os.File, error) {
	const resolve = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS
	return openAt(dir, name, flags, resolve)
}

func openAt(dir int, name string, flags, resolve uint64) (*os.File, error) {
	how := unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: resolve}
	fd, err := unix.Openat2(dir, name, &how)
	for attempt := 1; isRace(err) && attempt < openAttempts; attempt++ {
		fd, err = unix.Openat2(dir, name, &how)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}

const openAttempts = 32 // somebody who renames without end must not keep us here

// isRace: a rename or a signal came between; openat2(2) asks to try again.
func isRace(err error) bool {
	return errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN)
}

var errNotRegular = errors.New("not a regular file")

// reopenPath gives another handle (O_PATH) of the same file.
func reopenPath(handle *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(handle.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: handle.Name(), Err: err}
	}
	return os.NewFile(uintptr(fd), handle.Name()), nil
}

// reopenRegular opens for reading what an O_PATH handle stands for, when that is a regular file: nothing can be put in
// its place between the check and the opening. Reads never block, as those of /proc/kmsg would.
func reopenRegular(handle *os.File) (*os.File, fs.FileInfo, error) {
	info, err := handle.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, &fs.PathError{Op: "read", Path: handle.Name(), Err: errNotRegular}
	}
	file, err := reopen(handle, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY)
	return file, info, err
}

// reopen goes through this process's own descriptor table, the one magic link that is ours.
func reopen(handle *os.File, flags int) (*os.File, error) {
	fd, err := unix.Open(handlePath(handle), flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: handle.Name(), Err: err}
	}
	return os.NewFile(uintptr(fd), handle.Name()), nil
}

// handlePath names an open file to calls that take a path only.
func handlePath(handle *os.File) string {
	return "/proc/self/fd/" + strconv.Itoa(int(handle.Fd()))
}
