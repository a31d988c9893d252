// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A snapshot is a database of bbolt, in pages, and the SHA-256 of that. Source: etcd, client/v3/snapshot; bbolt, "meta".
const (
	pageBytes   = 512 // the smallest page: no size is a multiple of it with the checksum
	magicOffset = 16  // behind the header of the first page
	magic       = 0xED0CDAED
	headBytes   = magicOffset + 4

	maxSnapshot = 8 << 30 // bytes; etcd advises against larger databases
	copies      = 3       // of it that the disk must have room for: upload, restored data, and something left
)

var errNoSnapshot = status.Error(codes.InvalidArgument, "the upload is not a snapshot of etcd: it does not begin as a database")

// Recover keeps what a client uploads, for a bootstrap. next returns one part after the other, and io.EOF at the end. An
// upload that is no snapshot, that is too large, or whose client goes away leaves nothing. Errors are gRPC statuses.
func (s *Service) Recover(next func() ([]byte, error)) (err error) {
	if !s.changes.TryLock() {
		return errBusy
	}
	defer s.changes.Unlock()
	if err := s.mustBeEmpty(); err != nil {
		return err
	}
	if err := remove(s.snapshot()); err != nil {
		return err
	}
	room, err := roomFor(s.Folder)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(s.upload(), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o400)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, file.Close())
		if err != nil {
			_ = remove(s.upload())
		}
	}()
	if err := receive(file, next, room); err != nil {
		return err
	}
	if err := errors.Join(file.Chown(s.Owner, s.Owner), file.Sync()); err != nil {
		return err
	}
	return moveDurably(s.upload(), s.snapshot())
}

// receive writes at most room bytes, and refuses what is no database as early as that shows.
func receive(file io.Writer, next func() ([]byte, error), room int64) error {
	var head []byte
	for written := int64(0); ; {
		part, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if written += int64(len(part)); written > room {
			return status.Errorf(codes.ResourceExhausted, "the upload has more than the %d bytes that there is room for", room)
		}
		if missing := headBytes - len(head); missing > 0 {
			head = append(head, part[:min(missing, len(part))]...)
			if len(head) == headBytes && !isDatabase(head) {
				return errNoSnapshot
			}
		}
		if _, err := file.Write(part); err != nil {
			return err
		}
	}
	if !isDatabase(head) {
		return errNoSnapshot
	}
	return nil
}

func isDatabase(head []byte) bool {
	return len(head) >= headBytes && binary.NativeEndian.Uint32(head[magicOffset:]) == magic
}

func roomFor(folder string) (int64, error) {
	var disk unix.Statfs_t
	if err := unix.Statfs(folder, &disk); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", folder, err)
	}
	return min(maxSnapshot, int64(disk.Bavail)*disk.Bsize/copies), nil
}

// verifySnapshot refuses a snapshot whose checksum does not fit, and removes it.
func (s *Service) verifySnapshot(ctx context.Context, skipHashCheck bool) error {
	file, err := os.Open(s.snapshot())
	if errors.Is(err, fs.ErrNotExist) {
		return status.Error(codes.FailedPrecondition, "no snapshot was uploaded to recover etcd from")
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if skipHashCheck {
		return nil
	}
	why, err := checksumOf(ctx, file)
	if err != nil || why == "" {
		return err
	}
	return errors.Join(status.Error(codes.InvalidArgument, "the snapshot is damaged: "+why), remove(s.snapshot()))
}

// checksumOf says what is wrong with a snapshot, or nothing.
func checksumOf(ctx context.Context, file *os.File) (why string, err error) {
	about, err := file.Stat()
	if err != nil {
		return "", err
	}
	if about.Size()%pageBytes != sha256.Size {
		return "it has no checksum at its end; --recover-skip-hash-check takes the copy of a database", nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, contextReader{ctx, io.LimitReader(file, about.Size()-sha256.Size)}); err != nil {
		return "", err
	}
	var said [sha256.Size]byte
	if _, err := io.ReadFull(file, said[:]); err != nil {
		return "", err
	}
	if !bytes.Equal(sum.Sum(nil), said[:]) {
		return "its checksum does not fit its content", nil
	}
	return "", nil
}

// contextReader ends when its context does.
type contextReader struct {
	ctx  context.Context
	from io.Reader
}

func (r contextReader) Read(into []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(into)
}

// snapshot is what was uploaded, upload what is coming in.
func (s *Service) snapshot() string { return filepath.Join(s.Folder, "etcd.snapshot") }
func (s *Service) upload() string   { return s.snapshot() + ".part" }
