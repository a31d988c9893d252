// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// copyVirtualBytes is the most that a copy takes of a file that the kernel makes up: it is held in memory, and whoever
// copies all of /proc does not want all of memory.
const copyVirtualBytes = 1 << 20

var errLargeVirtual = errors.New("the kernel makes up more than 1 MiB; read it instead")

// addFile promises the size first, as tar must: content that the kernel makes up is read to its end before, any other
// has the size that it has now.
func (c *copier) addFile(e *entry, header *tar.Header) error {
	handle, err := e.open()
	if err != nil {
		return c.fault(e, err)
	}
	defer func() { _ = handle.Close() }()
	file, info, err := reopenRegular(handle)
	if err != nil {
		return c.fault(e, err)
	}
	defer func() { _ = file.Close() }()
	content := &fileReader{c.ctx, file}
	if takesNoRoom(info) {
		return c.addVirtual(e, header, content)
	}
	header.Size = info.Size()
	return c.addContent(e, header, content)
}

// addContent fills up with zeros when a file shrank or its disk fails, which keeps the archive whole.
func (c *copier) addContent(e *entry, header *tar.Header, content io.Reader) error {
	if err := c.archive.WriteHeader(header); err != nil {
		return err
	}
	written, err := io.CopyN(c.archive, content, header.Size)
	if c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	if err == nil {
		return nil
	}
	missing := header.Size - written
	if _, err := io.CopyN(c.archive, zeros{}, missing); err != nil {
		return err
	}
	return c.fault(e, fmt.Errorf("ends with %d bytes of zeros, which could not be read: %w", missing, err))
}

func (c *copier) addVirtual(e *entry, header *tar.Header, content io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(content, copyVirtualBytes+1))
	if c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	if err == nil && len(data) > copyVirtualBytes {
		err = errLargeVirtual
	}
	if err != nil {
		return c.fault(e, err)
	}
	header.Size = int64(len(data))
	if err := c.archive.WriteHeader(header); err != nil {
		return err
	}
	_, err = c.archive.Write(data)
	return err
}

// fileReader reads without waiting for data, and ends with its context.
type fileReader struct {
	ctx  context.Context
	file *os.File
}

func (r *fileReader) Read(buffer []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return readSome(r.file, buffer)
}

type zeros struct{}

func (zeros) Read(buffer []byte) (int, error) {
	clear(buffer)
	return len(buffer), nil
}
