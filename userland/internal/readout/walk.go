// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Bounds of one walk. They are far above what a machine has, and keep a tree that somebody made to be endless from
// holding memory or descriptors: a level costs one descriptor, a name of the directories on the way its bytes.
const (
	walkLevels    = 200
	walkDirectory = 200_000
	walkEntries   = 2_000_000
)

// entry is one file of a walk. It is looked at by its name in an open directory, and opened only by whoever needs that:
// opening every file takes four times as long.
type entry struct {
	path  string // absolute, below the root, as the caller wrote its beginning
	rel   string // from where the walk started; "." for the directory itself
	depth int    // 0 where the walk started
	stat  unix.Stat_t
	link  string // target of a symbolic link; empty when nobody may read it, as those of some processes in /proc
	err   error  // what was wrong; then only path and rel are set

	start *os.File // handle of what the walk started with
	dir   *os.File // the directory that any other entry lies in
}

// open gives a handle (O_PATH) to the entry, or to what has taken its place meanwhile: never a link.
func (e *entry) open() (*os.File, error) {
	if e.start != nil {
		return reopenPath(e.start)
	}
	return openEntry(int(e.dir.Fd()), path.Base(e.path), unix.O_PATH|unix.O_NOFOLLOW)
}

func (e *entry) mode() fs.FileMode { return fileMode(e.stat.Mode) }

// visitor is told of every entry, in the order of names, parents first; leave follows on the last entry below a
// directory, and is not needed.
type visitor struct {
	visit func(*entry) error
	leave func(*entry) error
}

type walk struct {
	ctx     context.Context
	levels  int // entries deeper than this are not visited; negative for no limit of the caller's
	visitor visitor
	seen    int
	held    int // names of the directories that are open
}

// run starts at a path of the caller. A link there is followed, inside the root; links further down are entries.
func (w *walk) run(root Root, name string) error {
	handle, err := openPath(root, name)
	if err != nil {
		return err
	}
	defer func() { _ = handle.Close() }()
	start := &entry{path: path.Join("/", name), rel: ".", start: handle}
	if err := unix.Fstat(int(handle.Fd()), &start.stat); err != nil {
		return &fs.PathError{Op: "stat", Path: start.path, Err: err}
	}
	if !start.mode().IsDir() {
		start.rel = path.Base(start.path)
	}
	return w.enter(start)
}

func (w *walk) enter(e *entry) error {
	if w.ctx.Err() != nil {
		return w.ctx.Err()
	}
	if w.seen++; w.seen > walkEntries {
		return tooMany(e)
	}
	if err := w.visitor.visit(e); err != nil || e.err != nil || !e.mode().IsDir() {
		return err
	}
	if w.levels < 0 || e.depth < w.levels {
		if err := w.descend(e); err != nil {
			return err
		}
	}
	if w.visitor.leave == nil {
		return nil
	}
	return w.visitor.leave(e)
}

func (w *walk) descend(e *entry) error {
	names, dir, err := readNames(e)
	if err != nil {
		return w.enter(&entry{path: e.path, rel: e.rel, err: err})
	}
	defer func() { _ = dir.Close() }()
	if w.held += len(names); w.held > walkEntries {
		return tooMany(e)
	}
	defer func() { w.held -= len(names) }()
	for _, name := range names {
		if err := w.child(e, dir, name); err != nil {
			return err
		}
	}
	if len(names) == walkDirectory {
		err := fmt.Errorf("%s: found %d entries or more, the others are left out", e.path, walkDirectory)
		return w.enter(&entry{path: e.path, rel: e.rel, err: err})
	}
	return nil
}

func tooMany(e *entry) error {
	return status.Errorf(codes.ResourceExhausted, "%s: found more than %d files, expected a smaller tree", e.path, walkEntries)
}

// child visits one name of an open directory. A file that is gone by now was not there.
func (w *walk) child(parent *entry, dir *os.File, name string) error {
	e := &entry{path: path.Join(parent.path, name), rel: path.Join(parent.rel, name), depth: parent.depth + 1, dir: dir}
	err := unix.Fstatat(int(dir.Fd()), name, &e.stat, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		e.err = &fs.PathError{Op: "stat", Path: e.path, Err: err}
	case e.mode()&fs.ModeSymlink != 0:
		e.link = readLink(dir, name)
	}
	return w.enter(e)
}

// readNames lists a directory, sorted, up to the bound.
func readNames(e *entry) ([]string, *os.File, error) {
	if e.depth >= walkLevels {
		return nil, nil, fmt.Errorf("%s: found more than %d levels of directories", e.path, walkLevels)
	}
	handle, err := e.open()
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = handle.Close() }()
	dir, err := reopen(handle, unix.O_RDONLY|unix.O_DIRECTORY)
	if err != nil {
		return nil, nil, err
	}
	names, err := dir.Readdirnames(walkDirectory)
	if err != nil && !errors.Is(err, io.EOF) {
		_ = dir.Close()
		return nil, nil, err
	}
	slices.Sort(names)
	return names, dir, nil
}

func readLink(dir *os.File, name string) string {
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(int(dir.Fd()), name, target)
	if err != nil {
		return ""
	}
	return string(target[:n])
}
