// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func unixTime(seconds int64) time.Time { return time.Unix(seconds, 0) }

func ignoreData(*common.Data) error { return nil }

func TestRead(t *testing.T) {
	root := fileTree(t)
	large := strings.Repeat("0123456789abcdef", 5*chunkBytes/16)
	must(t, os.WriteFile(filepath.Join(root.FS, "large"), []byte(large), 0o600))
	cases := []struct {
		name string
		root Root
		path string
		want string
	}{
		{"a file", root, "/etc/hostname", "node-1\n"},
		{"through a link", root, "/etc/name", "node-1\n"},
		{"through an absolute link, inside the root", root, "/etc/absolute", "node-1\n"},
		{"an empty file", root, "/zero", ""},
		{"in several pieces", root, "/large", large},
		{"of /proc", Machine, "/proc/self/comm", commOf(t)},
		{"through a link of /proc that is text", Machine, "/proc/sys/../self/comm", commOf(t)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var got bytes.Buffer
			err := Read(context.Background(), c.root, &machine.ReadRequest{Path: c.path}, func(data *common.Data) error {
				got.Write(data.GetBytes())
				return nil
			})
			if err != nil || got.String() != c.want {
				t.Errorf("found %d bytes, %v", got.Len(), err)
			}
		})
	}
}

func commOf(t *testing.T) string {
	t.Helper()
	name, err := os.ReadFile("/proc/self/comm")
	must(t, err)
	return string(name)
}

func TestReadRefuses(t *testing.T) {
	root := fileTree(t)
	cases := []struct {
		name string
		root Root
		path string
		want codes.Code
	}{
		{"nothing", root, "", codes.InvalidArgument},
		{"a directory", root, "/etc", codes.InvalidArgument},
		{"a pipe, without waiting for its writer", root, "/pipe", codes.InvalidArgument},
		{"a device", Machine, "/dev/zero", codes.InvalidArgument},
	}
	for _, c := range cases {
		err := Read(context.Background(), c.root, &machine.ReadRequest{Path: c.path}, ignoreData)
		if status.Code(err) != c.want {
			t.Errorf("%s: found %v, expected %v", c.name, err, c.want)
		}
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	root := fileTree(t)
	must(t, os.WriteFile(filepath.Join(root.FS, "large"), make([]byte, 3*chunkBytes), 0o600))
	ctx, cancel := context.WithCancel(context.Background())
	sent := 0
	err := Read(ctx, root, &machine.ReadRequest{Path: "/large"}, func(*common.Data) error { sent++; cancel(); return nil })
	if status.Code(err) != codes.Canceled || sent != 1 {
		t.Errorf("found %v after %d pieces", err, sent)
	}
}

func TestReadOfAGrowingFileEnds(t *testing.T) {
	root := fileTree(t)
	log, err := os.OpenFile(filepath.Join(root.FS, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	defer func() { _ = log.Close() }()
	line := bytes.Repeat([]byte("x"), chunkBytes)
	_, err = log.Write(line)
	must(t, err)
	sent := 0
	err = Read(context.Background(), root, &machine.ReadRequest{Path: "/log"}, func(data *common.Data) error {
		sent += len(data.GetBytes())
		_, err := log.Write(line)
		return err
	})
	if err != nil || sent != chunkBytes {
		t.Errorf("found %d bytes, %v", sent, err)
	}
}

// copied unpacks what Copy sends: a line for each entry, and the error of the last message.
func copied(t *testing.T, root Root, path string) (entries []string, fault string) {
	t.Helper()
	var packed bytes.Buffer
	err := Copy(context.Background(), root, &machine.CopyRequest{RootPath: path}, func(data *common.Data) error {
		packed.Write(data.GetBytes())
		fault += data.GetMetadata().GetError()
		return nil
	})
	must(t, err)
	unpacked, err := gzip.NewReader(&packed)
	must(t, err)
	archive := tar.NewReader(unpacked)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return entries, fault
		}
		must(t, err)
		content, err := io.ReadAll(archive)
		must(t, err)
		line := strings.TrimSpace(header.Name + " " + header.Linkname + string(content))
		entries = append(entries, string(header.Typeflag)+" "+line)
	}
}

func TestCopy(t *testing.T) {
	root := fileTree(t)
	cases := []struct {
		name, path string
		want       []string
	}{
		{"a tree", "/a", []string{"5 b/", "5 b/c/", "0 b/c/deep 1234", "0 b/file 12"}},
		{"a file", "/a/b/file", []string{"0 file 12"}},
		{"links as links", "/etc", []string{
			"2 absolute /etc/hostname", "2 dangling /nowhere", "0 hostname node-1", "2 loop loop", "2 name hostname",
			"0 two words x", "2 up ../../../../secret"}},
		{"nothing", "/empty", nil},
		{"a pipe is left out", "/pipe", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, fault := copied(t, root, c.path)
			if diff := cmp.Diff(c.want, got); diff != "" || fault != "" {
				t.Error(diff, fault)
			}
		})
	}
}

func TestCopyOfProcHasContent(t *testing.T) {
	got, fault := copied(t, Machine, "/proc/self/comm")
	if diff := cmp.Diff([]string{"0 comm " + strings.TrimSpace(commOf(t))}, got); diff != "" || fault != "" {
		t.Error(diff, fault)
	}
}

func TestCopyOfAFileThatShrinksStaysWhole(t *testing.T) {
	var archive bytes.Buffer
	c := &copier{ctx: context.Background(), archive: tar.NewWriter(&archive)}
	e := &entry{path: "/file"}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: "file", Size: 10}
	must(t, c.addContent(e, header, strings.NewReader("four")))
	must(t, c.archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "next/"}))
	must(t, c.archive.Close())
	reader := tar.NewReader(&archive)
	_, err := reader.Next()
	must(t, err)
	content, err := io.ReadAll(reader)
	must(t, err)
	if string(content) != "four\x00\x00\x00\x00\x00\x00" || len(c.faults) != 1 {
		t.Errorf("found %q, faults %v", content, c.faults)
	}
	if next, err := reader.Next(); err != nil || next.Name != "next/" {
		t.Errorf("found %v, %v", next, err)
	}
}

func TestCopyEndsWithTheClient(t *testing.T) {
	gone := errors.New("client is gone")
	err := Copy(context.Background(), fileTree(t), &machine.CopyRequest{RootPath: "/"}, func(*common.Data) error { return gone })
	if err == nil || !strings.Contains(err.Error(), gone.Error()) {
		t.Errorf("found %v", err)
	}
}

func TestCopyNamesSomeFaults(t *testing.T) {
	c := &copier{}
	for range copyFaults + 5 {
		must(t, c.fault(&entry{path: "/x"}, io.ErrUnexpectedEOF))
	}
	if got := strings.Count(c.report().Error(), "\n"); got != copyFaults {
		t.Errorf("found %d lines", got+1)
	}
}
