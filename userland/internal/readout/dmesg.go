// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"golang.org/x/sys/unix"
)

const recordBytes = 8192 // CONSOLE_EXT_LOG_MAX: a shorter buffer makes the kernel refuse a long record

// Dmesg sends the kernel's log, a record each: what it holds, and with follow all that comes until the context ends; with
// tail only what comes. Records that the kernel dropped meanwhile are missing. Errors: those of /dev/kmsg; and what send
// returns.
func Dmesg(ctx context.Context, root Root, request *machine.DmesgRequest, send func(*common.Data) error) error {
	bootTime, err := bootTime(root)
	if err != nil {
		return asStatus(err)
	}
	log, err := openKernelLog(root, request.GetTail())
	if err != nil {
		return asStatus(err)
	}
	defer func() { _ = log.Close() }()
	// Closing ends a read that waits.
	stop := context.AfterFunc(ctx, func() { _ = log.Close() })
	defer stop()
	sendRecord := func(raw string) error {
		record, err := parseRecord(raw)
		if err != nil {
			return send(&common.Data{Metadata: &common.Metadata{Error: err.Error()}})
		}
		return send(&common.Data{Bytes: []byte(record.format(bootTime))})
	}
	err = eachRecord(log, request.GetFollow(), sendRecord)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return asStatus(err)
}

func openKernelLog(root Root, tail bool) (*os.File, error) {
	log, err := os.OpenFile(filepath.Join(root.FS, "dev/kmsg"), os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil || !tail {
		return log, err
	}
	if _, err := log.Seek(0, 2); err != nil {
		_ = log.Close()
		return nil, err
	}
	return log, nil
}

// eachRecord reads a record a call, which is how the device works. Without follow it ends at the first read that would
// wait.
func eachRecord(log *os.File, follow bool, send func(string) error) error {
	conn, err := log.SyscallConn()
	if err != nil {
		return err
	}
	buffer := make([]byte, recordBytes)
	for {
		n, err := readRecord(conn.Read, buffer, follow)
		switch {
		case errors.Is(err, unix.EPIPE): // the kernel dropped what came next; the following read goes on behind it
			continue
		case errors.Is(err, unix.EAGAIN):
			return nil
		case err != nil:
			return &fs.PathError{Op: "read", Path: log.Name(), Err: err}
		case n == 0:
			return nil
		}
		if err := send(string(buffer[:n])); err != nil {
			return err
		}
	}
}

// readRecord waits for a record when it follows, and gives EAGAIN otherwise.
func readRecord(await func(func(uintptr) bool) error, buffer []byte, follow bool) (int, error) {
	var n int
	var readErr error
	err := await(func(fd uintptr) bool {
		n, readErr = unix.Read(int(fd), buffer)
		for errors.Is(readErr, unix.EINTR) {
			n, readErr = unix.Read(int(fd), buffer)
		}
		return !follow || !errors.Is(readErr, unix.EAGAIN)
	})
	if err != nil {
		return 0, err
	}
	return n, readErr
}

// bootTime is when the kernel's clock began, by the wall clock of now: a clock that was set since moves all records.
func bootTime(root Root) (time.Time, error) {
	uptime, err := readProcFile(filepath.Join(root.Proc, "uptime"))
	if err != nil {
		return time.Time{}, err
	}
	text, _, _ := strings.Cut(string(uptime), " ")
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return time.Time{}, &fs.PathError{Op: "read", Path: "uptime", Err: err}
	}
	return time.Now().Add(-time.Duration(seconds * float64(time.Second))).Truncate(time.Millisecond), nil
}
