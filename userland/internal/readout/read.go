// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	chunkBytes = 32 << 10
	// virtualBytes is the most that is read of a file whose size says nothing: those of /proc and /sys. It is far above
	// any of them but /proc/kcore, which is all memory.
	virtualBytes = 64 << 20
)

// Read sends a regular file in pieces, links followed inside the root; of a file that grows, what it held when it was
// opened. A piece is valid until send returns. Errors: NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT when the path is
// no regular file, RESOURCE_EXHAUSTED; and what send returns.
func Read(ctx context.Context, root Root, request *machine.ReadRequest, send func(*common.Data) error) error {
	if request.GetPath() == "" {
		return invalid("path: found nothing, expected the path of a file")
	}
	handle, err := openPath(root, request.GetPath())
	if err != nil {
		return asStatus(err)
	}
	defer func() { _ = handle.Close() }()
	file, info, err := reopenRegular(handle)
	if errors.Is(err, errNotRegular) {
		return invalid("path: found %q, expected a regular file", request.GetPath())
	}
	if err != nil {
		return asStatus(err)
	}
	defer func() { _ = file.Close() }()
	if takesNoRoom(info) {
		return asStatus(sendVirtual(ctx, file, send))
	}
	_, err = sendFile(ctx, file, info.Size(), send)
	return asStatus(err)
}

// takesNoRoom says whether a file occupies no block: the kernel makes up those of /proc and /sys when they are read,
// and what it gives as their size is a guess.
func takesNoRoom(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return !ok || stat.Blocks == 0
}

func sendVirtual(ctx context.Context, file *os.File, send func(*common.Data) error) error {
	sent, err := sendFile(ctx, file, virtualBytes, send)
	if err == nil && sent == virtualBytes {
		err = status.Errorf(codes.ResourceExhausted, "%s: found more than %d bytes made up by the kernel", file.Name(), virtualBytes)
	}
	return err
}

// sendFile sends up to limit bytes and says how many they were.
func sendFile(ctx context.Context, file *os.File, limit int64, send func(*common.Data) error) (int64, error) {
	buffer := make([]byte, chunkBytes)
	var sent int64
	for sent < limit {
		if err := ctx.Err(); err != nil {
			return sent, err
		}
		n, err := readSome(file, buffer[:min(limit-sent, chunkBytes)])
		if errors.Is(err, io.EOF) {
			return sent, nil
		}
		if err != nil {
			return sent, err
		}
		if err := send(&common.Data{Bytes: buffer[:n]}); err != nil {
			return sent, err
		}
		sent += int64(n)
	}
	return sent, nil
}

// readSome is one read(2) without waiting: a file that has nothing to say yet is at its end.
func readSome(file *os.File, buffer []byte) (int, error) {
	conn, err := file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var n int
	var readErr error
	err = conn.Control(func(fd uintptr) {
		n, readErr = unix.Read(int(fd), buffer)
		for errors.Is(readErr, unix.EINTR) {
			n, readErr = unix.Read(int(fd), buffer)
		}
	})
	switch {
	case err != nil:
		return 0, err
	case readErr == nil && n == 0, errors.Is(readErr, unix.EAGAIN):
		return 0, io.EOF
	case readErr != nil:
		return 0, &fs.PathError{Op: "read", Path: file.Name(), Err: readErr}
	}
	return n, nil
}
