// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"bytes"
	"context"
	"io/fs"
	"slices"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"golang.org/x/sys/unix"
)

// List sends the files below a directory, or the one file that the request names: without recursion the directory
// itself and what lies in it, with recursion as many levels as the request says (0 and below: all). A type filter
// leaves entries out, not what lies below them. What cannot be read is an entry with an error.
// Errors: NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT, RESOURCE_EXHAUSTED; and what send returns.
func List(ctx context.Context, root Root, request *machine.ListRequest, send func(*machine.FileInfo) error) error {
	for _, kind := range request.GetTypes() {
		if _, known := machine.ListRequest_Type_name[int32(kind)]; !known {
			return invalid("types: found %d, expected 0, 1 or 2", kind)
		}
	}
	visit := func(e *entry) error {
		if e.err == nil && !isWanted(e.mode(), request.GetTypes()) {
			return nil
		}
		return send(fileInfo(e, request.GetReportXattrs()))
	}
	w := &walk{ctx: ctx, levels: listLevels(request), visitor: visitor{visit: visit}}
	return asStatus(w.run(root, request.GetRoot()))
}

func listLevels(request *machine.ListRequest) int {
	switch {
	case !request.GetRecurse():
		return 1
	case request.GetRecursionDepth() <= 0:
		return -1
	default:
		return int(request.GetRecursionDepth())
	}
}

func isWanted(mode fs.FileMode, types []machine.ListRequest_Type) bool {
	switch {
	case len(types) == 0:
		return true
	case mode.IsRegular():
		return slices.Contains(types, machine.ListRequest_REGULAR)
	case mode.IsDir():
		return slices.Contains(types, machine.ListRequest_DIRECTORY)
	case mode&fs.ModeSymlink != 0:
		return slices.Contains(types, machine.ListRequest_SYMLINK)
	default:
		return false
	}
}

func fileInfo(e *entry, withXattrs bool) *machine.FileInfo {
	if e.err != nil {
		return &machine.FileInfo{Name: e.path, RelativeName: e.rel, Error: e.err.Error()}
	}
	info := &machine.FileInfo{
		Name: e.path, RelativeName: e.rel,
		Size: e.stat.Size, Mode: uint32(e.mode()), Modified: e.stat.Mtim.Sec,
		IsDir: e.mode().IsDir(), Link: e.link, Uid: e.stat.Uid, Gid: e.stat.Gid,
	}
	if withXattrs {
		info.Xattrs = xattrs(e)
	}
	return info
}

const xattrBytes = 64 << 10 // XATTR_LIST_MAX and XATTR_SIZE_MAX of the kernel

// xattrs reads all attributes of a file; of one that vanishes meanwhile, none.
func xattrs(e *entry) []*machine.Xattr {
	handle, err := e.open()
	if err != nil {
		return nil
	}
	defer func() { _ = handle.Close() }()
	name := handlePath(handle)
	size, err := unix.Listxattr(name, nil)
	if err != nil || size == 0 {
		return nil
	}
	list := make([]byte, xattrBytes)
	if size, err = unix.Listxattr(name, list); err != nil {
		return nil
	}
	var found []*machine.Xattr
	value := make([]byte, xattrBytes)
	for attribute := range bytes.SplitSeq(bytes.TrimRight(list[:size], "\x00"), []byte{0}) {
		n, err := unix.Getxattr(name, string(attribute), value)
		if err == nil {
			found = append(found, &machine.Xattr{Name: string(attribute), Data: bytes.Clone(value[:n])})
		}
	}
	return found
}
