// SPDX-License-Identifier: Apache-2.0

// Package podlogs reads what containers of pods have written, from the files that containerd keeps for the kubelet: a folder
// for each pod, in it one for each container, in it N.log for its Nth start, rotated by renaming.
// Source: Kubernetes, "Logging Architecture"; CRI, PodSandboxConfig.log_directory.
package podlogs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/logs"
)

// Dir is where the kubelet has them.
const Dir = "/var/log/pods"

const (
	blockBytes = 32 << 10
	poll       = 250 * time.Millisecond
)

// Container names one by the labels that the kubelet gives it.
type Container struct {
	Namespace, Pod, UID, Name string
}

// Open reads the log of the container's last start. Errors: fs.ErrNotExist when there is none. What lies outside of dir is
// not read: a pod that has the folder as a volume could put links there.
func Open(ctx context.Context, dir string, c Container, options logs.Options) (io.ReadCloser, error) {
	folder := filepath.Join(c.Namespace+"_"+c.Pod+"_"+c.UID, c.Name)
	if strings.ContainsRune(c.Namespace+c.Pod+c.UID+c.Name, '/') || !filepath.IsLocal(folder) || c.Name == "" {
		return nil, fmt.Errorf("container %q: %w", folder, fs.ErrNotExist)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	r := &reader{ctx: ctx, root: root, follow: options.Follow}
	if r.path, err = last(root, folder); err == nil {
		r.file, err = openLog(root, r.path)
	}
	if err == nil && options.TailLines >= 0 {
		err = seekLines(r.file, int(options.TailLines))
	}
	if err != nil {
		_ = r.Close()
		return nil, err
	}
	return r, nil
}

// openLog opens a file and nothing else: a pipe that a pod put there would never give an answer.
func openLog(root *os.Root, path string) (*os.File, error) {
	file, err := root.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = file.Close()
		return nil, fmt.Errorf("%s is no file: %w", path, fs.ErrInvalid)
	}
	return file, nil
}

// last is the log with the highest number.
func last(root *os.Root, folder string) (string, error) {
	entries, err := fs.ReadDir(root.FS(), filepath.ToSlash(folder))
	if err != nil {
		return "", err
	}
	highest := -1
	for _, entry := range entries {
		number, isLog := strings.CutSuffix(entry.Name(), ".log")
		if n, err := strconv.Atoi(number); isLog && err == nil && n > highest {
			highest = n
		}
	}
	if highest < 0 {
		return "", fmt.Errorf("%s: %w", folder, fs.ErrNotExist)
	}
	return filepath.Join(folder, strconv.Itoa(highest)+".log"), nil
}

// seekLines goes to where the last lines begin. What has no line break yet counts as one.
func seekLines(file *os.File, lines int) error {
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil || lines == 0 {
		return err
	}
	block := make([]byte, blockBytes)
	for at, size := end, end; at > 0; {
		part := block[:min(at, blockBytes)]
		at -= int64(len(part))
		if _, err := file.ReadAt(part, at); err != nil {
			return err
		}
		for i := bytes.LastIndexByte(part, '\n'); i >= 0; i = bytes.LastIndexByte(part[:i], '\n') {
			if at+int64(i) == size-1 {
				continue // the end of the last line begins none
			}
			if lines--; lines == 0 {
				_, err := file.Seek(at+int64(i)+1, io.SeekStart)
				return err
			}
		}
	}
	_, err = file.Seek(0, io.SeekStart)
	return err
}

// reader goes over to the new file when the old one was renamed.
type reader struct {
	ctx    context.Context
	root   *os.Root
	path   string   // below it
	file   *os.File // nil until it is open
	follow bool
}

// Read implements io.Reader.
func (r *reader) Read(into []byte) (int, error) {
	for {
		n, err := r.file.Read(into)
		if n > 0 || !errors.Is(err, io.EOF) || !r.follow {
			return n, err
		}
		if r.renew() {
			continue
		}
		select {
		case <-r.ctx.Done():
			return 0, r.ctx.Err()
		case <-time.After(poll):
		}
	}
}

// renew says whether there is another file now. What was written to the old one before that has been read: the new one
// is there before anything is written to it, so one more look at the old one comes first.
func (r *reader) renew() bool {
	now, err := r.root.Stat(r.path)
	if err != nil {
		return false
	}
	old, err := r.file.Stat()
	if err != nil || os.SameFile(old, now) {
		return false
	}
	if at, err := r.file.Seek(0, io.SeekCurrent); err == nil && at < old.Size() {
		return true
	}
	next, err := openLog(r.root, r.path)
	if err != nil {
		return false
	}
	_ = r.file.Close()
	r.file = next
	return true
}

// Close implements io.Closer.
func (r *reader) Close() error {
	if r.file != nil {
		_ = r.file.Close()
	}
	return r.root.Close()
}
