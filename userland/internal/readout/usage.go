// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"context"
	"path"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
)

// DiskUsage sends the sizes of directories with all that lies below, children first, and those of files when the
// request wants them. A path that cannot be walked is an entry with an error, and the others follow.
// Threshold leaves out what is smaller, or larger when it is negative. Errors: RESOURCE_EXHAUSTED; and what send returns.
func DiskUsage(ctx context.Context, root Root, request *machine.DiskUsageRequest, send func(*machine.DiskUsageInfo) error) error {
	for _, name := range request.GetPaths() {
		sum := &usage{request: request, send: send}
		w := &walk{ctx: ctx, levels: -1, visitor: visitor{visit: sum.visit, leave: sum.leave}}
		err := w.run(root, name)
		if err != nil && w.seen == 0 && ctx.Err() == nil {
			err = send(&machine.DiskUsageInfo{Name: path.Join("/", name), RelativeName: name, Error: err.Error()})
		}
		if err != nil {
			return asStatus(err)
		}
	}
	return nil
}

type usage struct {
	request *machine.DiskUsageRequest
	send    func(*machine.DiskUsageInfo) error
	totals  []int64 // of the directories that are open, outermost first
}

func (u *usage) visit(e *entry) error {
	if e.err != nil {
		return u.send(&machine.DiskUsageInfo{Name: e.path, RelativeName: e.rel, Error: e.err.Error()})
	}
	if e.mode().IsDir() {
		u.totals = append(u.totals, size(e))
		return nil
	}
	u.addToParent(size(e))
	if !u.request.GetAll() {
		return nil
	}
	return u.report(e, size(e))
}

func (u *usage) leave(e *entry) error {
	last := len(u.totals) - 1
	total := u.totals[last]
	u.totals = u.totals[:last]
	u.addToParent(total)
	return u.report(e, total)
}

func (u *usage) addToParent(bytes int64) {
	if last := len(u.totals) - 1; last >= 0 {
		u.totals[last] += bytes
	}
}

func (u *usage) report(e *entry, bytes int64) error {
	depth, threshold := u.request.GetRecursionDepth(), u.request.GetThreshold()
	switch {
	case depth > 0 && e.depth >= int(depth),
		threshold > 0 && bytes < threshold,
		threshold < 0 && bytes > -threshold:
		return nil
	}
	return u.send(&machine.DiskUsageInfo{Name: e.path, RelativeName: e.rel, Size: bytes})
}

// size counts the bytes of a file that takes room anywhere: what /proc claims (128 TiB for kcore) does not.
func size(e *entry) int64 {
	if e.stat.Blocks == 0 {
		return 0
	}
	return max(e.stat.Size, 0)
}
