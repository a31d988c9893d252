// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// fileTree has links of every kind of evil. "secret" lies beside the root.
func fileTree(t *testing.T) Root {
	t.Helper()
	top := makeTree(t, map[string]string{
		"secret":             "outside",
		"root/etc/hostname":  "node-1\n",
		"root/etc/name":      "-> hostname",
		"root/etc/up":        "-> ../../../../secret",
		"root/etc/absolute":  "-> /etc/hostname",
		"root/etc/dangling":  "-> /nowhere",
		"root/etc/loop":      "-> loop",
		"root/a/b/c/deep":    "1234",
		"root/a/b/file":      "12",
		"root/empty/":        "",
		"root/proc/self":     "-> 1",
		"root/link-to-a":     "-> a/b",
		"root/zero":          "",
		"root/etc/two words": "x",
	})
	must(t, unix.Mkfifo(filepath.Join(top, "root/pipe"), 0o600))
	return Root{FS: filepath.Join(top, "root")}
}

func listed(t *testing.T, root Root, request *machine.ListRequest) []string {
	t.Helper()
	var names []string
	err := List(context.Background(), root, request, func(info *machine.FileInfo) error {
		line := info.GetRelativeName()
		if info.GetLink() != "" {
			line += " -> " + info.GetLink()
		}
		if info.GetError() != "" {
			line += " ERROR"
		}
		names = append(names, line)
		return nil
	})
	must(t, err)
	return names
}

func TestList(t *testing.T) {
	root := fileTree(t)
	cases := []struct {
		name    string
		request *machine.ListRequest
		want    []string
	}{
		{"one level", &machine.ListRequest{Root: "/a"}, []string{".", "b"}},
		{"a path that is not absolute, with a slash at its end", &machine.ListRequest{Root: "a/"}, []string{".", "b"}},
		{"the root, named by nothing", &machine.ListRequest{Types: []machine.ListRequest_Type{machine.ListRequest_SYMLINK}},
			[]string{"link-to-a -> a/b"}},
		{"all levels", &machine.ListRequest{Root: "/a", Recurse: true}, []string{".", "b", "b/c", "b/c/deep", "b/file"}},
		{"two levels", &machine.ListRequest{Root: "/a", Recurse: true, RecursionDepth: 2}, []string{".", "b", "b/c", "b/file"}},
		{"a negative depth is none", &machine.ListRequest{Root: "/a/b", Recurse: true, RecursionDepth: -1},
			[]string{".", "c", "c/deep", "file"}},
		{"a file", &machine.ListRequest{Root: "/a/b/file"}, []string{"file"}},
		{"a link at the start is followed", &machine.ListRequest{Root: "/link-to-a"}, []string{".", "c", "file"}},
		{"a link below is not", &machine.ListRequest{Root: "/etc"}, []string{
			".", "absolute -> /etc/hostname", "dangling -> /nowhere", "hostname", "loop -> loop", "name -> hostname",
			"two words", "up -> ../../../../secret"}},
		{"files only, at every level", &machine.ListRequest{Root: "/a", Recurse: true,
			Types: []machine.ListRequest_Type{machine.ListRequest_REGULAR}}, []string{"b/c/deep", "b/file"}},
		{"directories only", &machine.ListRequest{Root: "/a", Recurse: true,
			Types: []machine.ListRequest_Type{machine.ListRequest_DIRECTORY}}, []string{".", "b", "b/c"}},
		{"dots do not lead out", &machine.ListRequest{Root: "/../../a/../empty"}, []string{"."}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, listed(t, root, c.request)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestListFields(t *testing.T) {
	root := fileTree(t)
	file := filepath.Join(root.FS, "a/b/file")
	must(t, os.Chmod(file, 0o750|os.ModeSetuid))
	must(t, os.Chtimes(file, unixTime(1700000000), unixTime(1700000000)))
	withXattr := unix.Setxattr(file, "user.note", []byte("hello"), 0) == nil // not every file system has them
	var got *machine.FileInfo
	request := &machine.ListRequest{Root: "/a/b/file", ReportXattrs: true}
	must(t, List(context.Background(), root, request, func(info *machine.FileInfo) error { got = info; return nil }))
	if got.GetName() != "/a/b/file" || got.GetSize() != 2 || got.GetModified() != 1700000000 || got.GetIsDir() ||
		os.FileMode(got.GetMode()) != 0o750|os.ModeSetuid || got.GetUid() != uint32(os.Getuid()) {
		t.Errorf("found %v", got)
	}
	if withXattr && (len(got.GetXattrs()) == 0 || string(got.GetXattrs()[0].GetData()) != "hello") {
		t.Errorf("attributes: found %v", got.GetXattrs())
	}
}

func TestHostilePaths(t *testing.T) {
	machineRoot := Root{Proc: "/proc", FS: "/"}
	tree := fileTree(t)
	long := strings.Repeat("a/", unix.PathMax)
	cases := []struct {
		name string
		root Root
		path string
		want codes.Code
	}{
		{"nothing there", tree, "/nowhere", codes.NotFound},
		{"a file as a directory", tree, "/etc/hostname/x", codes.NotFound},
		{"a link out of the root", tree, "/etc/up", codes.NotFound},
		{"a link to nothing", tree, "/etc/dangling", codes.NotFound},
		{"a link to itself", tree, "/etc/loop", codes.PermissionDenied},
		{"a NUL", tree, "/etc/hostname\x00.txt", codes.InvalidArgument},
		{"too long a path", tree, long, codes.InvalidArgument},
		{"too long a name", tree, strings.Repeat("a", 300), codes.InvalidArgument},
		{"the root of a process", machineRoot, "/proc/self/root/etc/hostname", codes.PermissionDenied},
		{"the folder of a process", machineRoot, "/proc/self/cwd", codes.PermissionDenied},
		{"a descriptor of a process", machineRoot, "/proc/self/fd/0", codes.PermissionDenied},
		{"the program of a process", machineRoot, "/proc/1/exe", codes.PermissionDenied},
		{"through a thread", machineRoot, "/proc/thread-self/root", codes.PermissionDenied},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for call, err := range callsWith(c.root, c.path) {
				if status.Code(err) != c.want {
					t.Errorf("%s: found %v, expected %v", call, err, c.want)
				}
			}
		})
	}
}

func callsWith(root Root, path string) map[string]error {
	ctx := context.Background()
	return map[string]error{
		"list": List(ctx, root, &machine.ListRequest{Root: path, Recurse: true}, func(*machine.FileInfo) error { return nil }),
		"read": Read(ctx, root, &machine.ReadRequest{Path: path}, ignoreData),
		"copy": Copy(ctx, root, &machine.CopyRequest{RootPath: path}, ignoreData),
	}
}

func TestListRefusesUnknownTypes(t *testing.T) {
	request := &machine.ListRequest{Types: []machine.ListRequest_Type{9}}
	err := List(context.Background(), fileTree(t), request, func(*machine.FileInfo) error { return nil })
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("found %v", err)
	}
}

func TestWalkEndsWithTheClient(t *testing.T) {
	root := fileTree(t)
	gone := errors.New("client is gone")
	err := List(context.Background(), root, &machine.ListRequest{Recurse: true}, func(*machine.FileInfo) error { return gone })
	if !strings.Contains(fmt.Sprint(err), gone.Error()) {
		t.Errorf("found %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	sent := 0
	err = List(ctx, root, &machine.ListRequest{Recurse: true}, func(*machine.FileInfo) error { sent++; cancel(); return nil })
	if status.Code(err) != codes.Canceled || sent != 1 {
		t.Errorf("found %v after %d entries", err, sent)
	}
}

func TestWalkBoundsItsDepth(t *testing.T) {
	root := Root{FS: t.TempDir()}
	deep := root.FS
	for range walkLevels + 3 {
		deep += "/d"
	}
	must(t, os.MkdirAll(deep, 0o755))
	names := listed(t, root, &machine.ListRequest{Recurse: true})
	if last := names[len(names)-1]; len(names) != walkLevels+2 || !strings.HasSuffix(last, "ERROR") {
		t.Errorf("found %d entries, the last %q", len(names), last)
	}
}

func TestWalkBoundsItsMemory(t *testing.T) {
	w := &walk{ctx: context.Background(), levels: -1, visitor: visitor{visit: func(*entry) error { return nil }}}
	w.held = walkEntries - 4 // names of the directories above; /a has one more, /a/b two, /a/b/c one
	if err := w.run(fileTree(t), "/a"); err != nil || w.held != walkEntries-4 {
		t.Errorf("found %v and %d names held", err, w.held)
	}
	w.held++
	if err := w.run(fileTree(t), "/a"); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("found %v", err)
	}
}

func TestDiskUsage(t *testing.T) {
	root := fileTree(t)
	must(t, os.WriteFile(filepath.Join(root.FS, "a/b/c/deep"), make([]byte, 10_000), 0o644))
	sparse, err := os.Create(filepath.Join(root.FS, "a/sparse"))
	must(t, err)
	must(t, sparse.Truncate(1<<40))
	must(t, sparse.Close())
	cases := []struct {
		name    string
		request *machine.DiskUsageRequest
		want    []string
	}{
		{"directories, children first", &machine.DiskUsageRequest{Paths: []string{"/a"}}, []string{"b/c", "b", "."}},
		{"files too", &machine.DiskUsageRequest{Paths: []string{"a/"}, All: true}, []string{"b/c/deep", "b/c", "b/file", "b", "sparse", "."}},
		{"one level", &machine.DiskUsageRequest{Paths: []string{"/a"}, RecursionDepth: 1}, []string{"."}},
		{"two levels", &machine.DiskUsageRequest{Paths: []string{"/a"}, RecursionDepth: 2}, []string{"b", "."}},
		{"at least", &machine.DiskUsageRequest{Paths: []string{"/a"}, All: true, Threshold: 9000}, []string{"b/c/deep", "b/c", "b", "."}},
		{"at most", &machine.DiskUsageRequest{Paths: []string{"/a"}, All: true, Threshold: -9000}, []string{"b/file", "sparse"}},
		{"two paths, one missing", &machine.DiskUsageRequest{Paths: []string{"/nowhere", "/empty"}}, []string{"/nowhere ERROR", "."}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			sizes := map[string]int64{}
			err := DiskUsage(context.Background(), root, c.request, func(info *machine.DiskUsageInfo) error {
				line := info.GetRelativeName()
				if info.GetError() != "" {
					line += " ERROR"
				}
				got = append(got, line)
				sizes[line] = info.GetSize()
				return nil
			})
			must(t, err)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if sizes["."] > 1<<20 || sizes["b"] != 0 && sizes["b"] < 10_000 {
				t.Errorf("sizes: found %v", sizes)
			}
		})
	}
}
