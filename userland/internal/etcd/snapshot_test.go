// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dodeka/userland/internal/containerd"
)

// database is a page that begins as bbolt's.
func database() []byte {
	page := make([]byte, 4096)
	binary.NativeEndian.PutUint32(page[magicOffset:], magic)
	return page
}

func snapshotOf(database []byte) []byte {
	sum := sha256.Sum256(database)
	return append(bytes.Clone(database), sum[:]...)
}

// partsOf is a client that sends these parts, and then ends as it should.
func partsOf(parts ...[]byte) func() ([]byte, error) {
	return func() ([]byte, error) {
		if len(parts) == 0 {
			return nil, io.EOF
		}
		part := parts[0]
		parts = parts[1:]
		return part, nil
	}
}

func TestUploadThatCannotBeLeavesNothing(t *testing.T) {
	gone := errors.New("the client is gone")
	tests := []struct {
		name string
		next func() ([]byte, error)
		want codes.Code
	}{
		{"nothing", partsOf(), codes.InvalidArgument},
		{"short", partsOf([]byte("0123456789")), codes.InvalidArgument},
		{"no database", partsOf(bytes.Repeat([]byte("x"), 4096)), codes.InvalidArgument},
		{"a client that goes away", func() ([]byte, error) { return nil, gone }, codes.Unknown},
	}
	for _, tc := range tests {
		b := newBench(t)
		if err := b.Recover(tc.next); status.Code(err) != tc.want {
			t.Errorf("%s: %v", tc.name, err)
		}
		if left := b.files(); len(left) > 0 {
			t.Errorf("%s left %v", tc.name, left)
		}
		if err := b.Bootstrap(t.Context(), true, false); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("bootstrap after %s: %v", tc.name, err)
		}
	}
}

func TestReceiveIsBounded(t *testing.T) {
	var kept bytes.Buffer
	endless := func() ([]byte, error) { return database(), nil }
	if err := receive(&kept, endless, 10_000); status.Code(err) != codes.ResourceExhausted || kept.Len() != 8192 {
		t.Errorf("%d bytes kept, %v", kept.Len(), err)
	}
}

func TestOneUploadAtATime(t *testing.T) {
	b := newBench(t)
	err := b.Recover(func() ([]byte, error) {
		if err := b.Recover(partsOf()); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("another upload: %v", err)
		}
		if err := b.Bootstrap(t.Context(), false, false); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("a bootstrap: %v", err)
		}
		return nil, io.EOF
	})
	if err == nil {
		t.Error("nothing is no snapshot")
	}
}

func TestBootstrapVerifiesTheSnapshot(t *testing.T) {
	damaged := snapshotOf(database())
	damaged[100] ^= 1
	tests := []struct {
		name   string
		upload []byte
		skip   bool
		want   codes.Code
	}{
		{"whole", snapshotOf(database()), false, codes.OK},
		{"damaged", damaged, false, codes.InvalidArgument},
		{"damaged, and taken all the same", damaged, true, codes.OK},
		{"a copy of a database", database(), false, codes.InvalidArgument},
		{"a copy that is asked for", database(), true, codes.OK},
		{"cut off", snapshotOf(database())[:4100], false, codes.InvalidArgument},
	}
	for _, tc := range tests {
		b := newBench(t)
		half := len(tc.upload) / 2
		if err := b.Recover(partsOf(tc.upload[:5], tc.upload[5:half], nil, tc.upload[half:])); err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if kept, err := os.ReadFile(b.snapshot()); err != nil || !bytes.Equal(kept, tc.upload) {
			t.Errorf("%s: kept %d bytes, %v", tc.name, len(kept), err)
		}
		if err := b.Bootstrap(t.Context(), true, tc.skip); status.Code(err) != tc.want {
			t.Errorf("%s: %v", tc.name, err)
		}
		if left := b.files(); tc.want != codes.OK && len(left) > 0 {
			t.Errorf("%s left %v", tc.name, left)
		}
	}
}

// uploaded is a bench where a bootstrap from a snapshot is asked for.
func uploaded(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	if err := errors.Join(b.Recover(partsOf(snapshotOf(database()))), b.Bootstrap(t.Context(), true, false)); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRestore(t *testing.T) {
	b := uploaded(t)
	b.put("etcd/member/wal", "of a bootstrap that was cut")
	b.runtime.tool = func(_ context.Context, p containerd.Program) error {
		want := []string{"etcdutl", "snapshot", "restore", b.snapshot(), "--data-dir=" + b.restored(), "--name=keeper",
			"--initial-advertise-peer-urls=https://192.0.2.7:2380", "--initial-cluster=keeper=https://192.0.2.7:2380"}
		if diff := cmp.Diff(want, p.Args); diff != "" {
			t.Error(diff)
		}
		return os.WriteFile(filepath.Join(p.Mounts[1].Source, "restored"), nil, 0o600)
	}
	l := b.begins()
	if err := await(t, l.prepared); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"etcd/restored"}, b.files()); diff != "" {
		t.Error(diff)
	}
	if err := l.stops(); err != nil {
		t.Error(err)
	}
}

func TestRestoreThatIsRefusedCanBeAskedForAgain(t *testing.T) {
	b := uploaded(t)
	b.runtime.tool = func(_ context.Context, p containerd.Program) error {
		return errors.Join(os.WriteFile(filepath.Join(p.Mounts[1].Source, "half"), nil, 0o600), containerd.Exited{Status: 1})
	}
	if err := await(t, b.begins().prepared); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Fatal(err)
	}
	if left := b.files(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	if err := b.Bootstrap(t.Context(), false, false); err != nil {
		t.Error(err)
	}
}

func TestRestoreThatIsCutGoesOnWithTheNextBoot(t *testing.T) {
	b := uploaded(t)
	begun := make(chan struct{})
	b.runtime.tool = func(ctx context.Context, p containerd.Program) error {
		err := os.WriteFile(filepath.Join(p.Mounts[1].Source, "half"), nil, 0o600)
		close(begun)
		<-ctx.Done()
		return err
	}
	l := b.begins()
	await(t, begun)
	if err := l.stops(); err == nil {
		t.Error("it was taken for restored")
	}
	left := b.files()
	if b.hasData() || !slices.Contains(left, "etcd.bootstrap") || !slices.Contains(left, "etcd.snapshot") {
		t.Errorf("left %v", left)
	}
	b.runtime.tool = func(_ context.Context, p containerd.Program) error {
		return os.WriteFile(filepath.Join(p.Mounts[1].Source, "whole"), nil, 0o600)
	}
	b.open(b.Options)
	next := b.begins()
	if err := await(t, next.prepared); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"etcd/whole"}, b.files()); diff != "" {
		t.Error(diff)
	}
	if err := next.stops(); err != nil {
		t.Error(err)
	}
}
