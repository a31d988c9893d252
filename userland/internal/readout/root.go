// SPDX-License-Identifier: Apache-2.0

// Package readout answers what a machine's administrator asks about it: processes, memory, mounts, files, kernel log.
// Everything is read from the directories of a Root, so tests hand in small trees; nothing is written anywhere.
// What a caller sends is hostile: paths never leave the root, nothing but regular files is ever opened for reading,
// and every walk ends with its context. Errors carry a gRPC status.
package readout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Root says where the file systems that are read lie.
type Root struct {
	Proc string // a procfs
	Sys  string // a sysfs
	FS   string // the root that paths of callers are below
}

// Machine is the root of the running machine.
var Machine = Root{Proc: "/proc", Sys: "/sys", FS: "/"}

// asStatus gives an error of a file system its gRPC code. The text names the path as the caller wrote it: a file of
// the caller's choice is nobody's secret, since whoever may ask may list.
func asStatus(err error) error {
	if err == nil {
		return nil
	}
	if _, known := status.FromError(err); known {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return status.FromContextError(err).Err()
	}
	code := codes.Internal
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		code = codes.NotFound
	case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.ELOOP), errors.Is(err, unix.EXDEV):
		code = codes.PermissionDenied
	case errors.Is(err, unix.ENAMETOOLONG), errors.Is(err, unix.EINVAL):
		code = codes.InvalidArgument
	}
	return status.Error(code, err.Error())
}

func invalid(format string, args ...any) error {
	return status.Error(codes.InvalidArgument, fmt.Sprintf(format, args...))
}
