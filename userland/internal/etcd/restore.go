// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"dodeka/userland/internal/containerd"
)

// restore has the image's own tool make the data folder from the snapshot: in a folder beside it, which gets its name
// when all of it is on the disk. What the tool refuses no other try will make good: the bootstrap is forgotten then, and
// another one can be asked for.
func (s *Service) restore(ctx context.Context, skipHashCheck bool) error {
	at, err := s.place(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(s.restored()), s.ownFolder(s.restored())); err != nil {
		return err
	}
	args := []string{"etcdutl", "snapshot", "restore", s.snapshot(), "--data-dir=" + s.restored(), "--name=" + at.name}
	for _, one := range s.membership(at) {
		args = append(args, "--"+one[0]+"="+one[1])
	}
	if skipHashCheck {
		args = append(args, "--skip-hash-check")
	}
	if err := s.runTool(ctx, args); err != nil {
		if refused := (containerd.Exited{}); errors.As(err, &refused) {
			err = errors.Join(err, s.done())
		}
		return errors.Join(fmt.Errorf("restore the snapshot (see the log of etcd): %w", err), os.RemoveAll(s.restored()))
	}
	if err := errors.Join(syncTree(s.restored()), os.RemoveAll(s.data())); err != nil {
		return err
	}
	return moveDurably(s.restored(), s.data())
}

func (s *Service) runTool(ctx context.Context, args []string) error {
	log := s.Log()
	defer log.Close()
	program := s.program(ID+"-restore", args, log)
	program.Mounts = []containerd.Mount{
		{Source: s.snapshot(), Inside: s.snapshot()}, {Source: s.restored(), Inside: s.restored(), Writable: true},
	}
	err := s.Runtime.Run(ctx, containerd.System, program, func(uint32) {})
	if err == nil {
		err = ctx.Err() // it was ended
	}
	return err
}

func (s *Service) restored() string { return s.data() + ".restored" }

// syncTree returns when all of a folder is on the disk.
func syncTree(root string) error {
	return filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncFolder(path) // a file is synced as a folder is
	})
}
