// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
)

// copyFaults is how many files that could not be read are named.
const copyFaults = 20

// Copy sends a file, or all that lies below a directory, as a gzipped tar archive. Links stay links; devices, pipes and
// sockets are left out. What cannot be read is left out and named in the error of a last message, with which clients
// end. Errors: NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT, RESOURCE_EXHAUSTED; and what send returns.
func Copy(ctx context.Context, root Root, request *machine.CopyRequest, send func(*common.Data) error) error {
	if request.GetRootPath() == "" {
		return invalid("root_path: found nothing, expected the path of a file or a directory")
	}
	out := bufio.NewWriterSize(&dataWriter{send: send}, chunkBytes)
	packed, err := gzip.NewWriterLevel(out, gzip.BestSpeed) // what limits a copy is the network or the processor
	if err != nil {
		return asStatus(err)
	}
	c := &copier{ctx: ctx, archive: tar.NewWriter(packed)}
	w := &walk{ctx: ctx, levels: -1, visitor: visitor{visit: c.add}}
	err = w.run(root, request.GetRootPath())
	for _, finish := range []func() error{c.archive.Close, packed.Close, out.Flush} {
		if err == nil {
			err = finish()
		}
	}
	if err != nil || c.count == 0 {
		return asStatus(err)
	}
	return send(&common.Data{Metadata: &common.Metadata{Error: c.report().Error()}})
}

// dataWriter turns writes into messages.
type dataWriter struct{ send func(*common.Data) error }

func (w *dataWriter) Write(piece []byte) (int, error) {
	if err := w.send(&common.Data{Bytes: piece}); err != nil {
		return 0, err
	}
	return len(piece), nil
}

var errLinkUnread = errors.New("the target of the link cannot be read")

type copier struct {
	ctx     context.Context
	archive *tar.Writer
	faults  []error
	count   int // of all faults
}

// fault notes a file that could not be read; the archive goes on.
func (c *copier) fault(e *entry, err error) error {
	if c.count++; c.count <= copyFaults {
		c.faults = append(c.faults, fmt.Errorf("%s: %w", e.path, err))
	}
	return nil
}

func (c *copier) report() error {
	faults := c.faults
	if c.count > copyFaults {
		faults = append(faults, fmt.Errorf("and %d more", c.count-copyFaults))
	}
	return errors.Join(faults...)
}

func (c *copier) add(e *entry) error {
	if e.err != nil {
		return c.fault(e, e.err)
	}
	header := tarHeader(e)
	switch mode := e.mode(); {
	case mode.IsRegular():
		return c.addFile(e, header)
	case mode.IsDir():
		if e.rel == "." {
			return nil
		}
		header.Typeflag = tar.TypeDir
		header.Name += "/"
	case mode&fs.ModeSymlink != 0:
		if e.link == "" {
			return c.fault(e, errLinkUnread)
		}
		header.Typeflag, header.Linkname = tar.TypeSymlink, e.link
	default:
		return nil
	}
	return c.archive.WriteHeader(header)
}

func tarHeader(e *entry) *tar.Header {
	return &tar.Header{
		Typeflag: tar.TypeReg, Name: e.rel, ModTime: time.Unix(e.stat.Mtim.Unix()),
		Mode: int64(e.stat.Mode) & 0o7777, Uid: int(e.stat.Uid), Gid: int(e.stat.Gid),
	}
}
