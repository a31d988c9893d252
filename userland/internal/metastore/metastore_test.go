// SPDX-License-Identifier: Apache-2.0

package metastore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/impl/inmem"
	"github.com/cosi-project/runtime/pkg/state/impl/namespaced"
	"github.com/siderolabs/talos/pkg/machinery/meta"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"

	"dodeka/userland/internal/blockdevice"
)

type kept struct{ *blockdevice.Recorder }

func (kept) Close() error { return nil }

func openRecorder(t *testing.T, r *blockdevice.Recorder) *Store {
	t.Helper()
	s, err := openWith(func() (medium, error) { return kept{r}, nil })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func set(t *testing.T, s *Store, tag uint8, value string) {
	t.Helper()
	if err := s.Set(tag, value); err != nil {
		t.Fatal(err)
	}
}

func TestValuesOutliveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta")
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	set(t, s, meta.UserReserved1, "one")
	set(t, s, meta.UUIDOverride, "")
	set(t, s, 0xff, strings.Repeat("x", 100_000))
	if err := s.Delete(meta.UserReserved1); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(meta.UserReserved2); err != nil {
		t.Fatal(err)
	}
	again, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := again.All(); !maps.Equal(got, s.All()) || len(got) != 2 {
		t.Errorf("got %d keys", len(got))
	}
	if value, ok := again.Get(meta.UUIDOverride); !ok || value != "" {
		t.Errorf("empty value: %q, %v", value, ok)
	}
}

func TestRefusals(t *testing.T) {
	s := openRecorder(t, blockdevice.NewRecorder(1<<20, 512))
	set(t, s, 1, "kept")
	if err := s.Set(0, "x"); err == nil {
		t.Error("key 0 was taken")
	}
	room := roomForData - 2*recordHeader - len("kept")
	if err := s.Set(2, strings.Repeat("x", room+1)); !errors.Is(err, ErrFull) {
		t.Errorf("one byte too many: %v", err)
	}
	if len(s.All()) != 1 {
		t.Error("a refused value is held")
	}
	if err := s.Set(2, strings.Repeat("x", room)); err != nil {
		t.Errorf("exactly full: %v", err)
	}
	if _, err := openWith(func() (medium, error) { return kept{blockdevice.NewRecorder(1000, 512)}, nil }); err == nil {
		t.Error("a partition that is too small was taken")
	}
}

func TestEveryPowerCutLeavesOldOrNewValues(t *testing.T) {
	start := blockdevice.NewRecorder(1<<20, 512)
	set(t, openRecorder(t, start), 1, "old")
	disk := start.Clone()
	set(t, openRecorder(t, disk), 1, "new")
	for n := range disk.Writes() + 1 {
		for _, torn := range []int64{0, 16, 4096, copyBytes - 1} {
			value, _ := openRecorder(t, disk.CutAfter(start, n, torn)).Get(1)
			if value != "old" && value != "new" || n == disk.Writes() && value != "new" {
				t.Errorf("after %d writes and %d bytes: %q", n, torn, value)
			}
		}
	}
}

func TestOpenRepairsCopies(t *testing.T) {
	tests := []struct {
		name   string
		damage []int64
		want   string
	}{
		{"first copy", []int64{100}, "value"},
		{"second copy", []int64{copyBytes + 100}, "value"},
		{"both", []int64{100, copyBytes + 100}, ""},
	}
	for _, tc := range tests {
		disk := blockdevice.NewRecorder(1<<20, 512)
		set(t, openRecorder(t, disk), 9, "value")
		for _, at := range tc.damage {
			_, _ = disk.WriteAt([]byte{1}, at)
		}
		value, ok := openRecorder(t, disk).Get(9)
		if value != tc.want {
			t.Errorf("%s: %q", tc.name, value)
		}
		both := make([]byte, copies*copyBytes)
		_, _ = disk.ReadAt(both, 0)
		if ok && !bytes.Equal(both[:copyBytes], both[copyBytes:]) {
			t.Errorf("%s: not repaired", tc.name)
		}
	}
}

func TestStaleSecondCopyIsRenewed(t *testing.T) {
	disk := blockdevice.NewRecorder(1<<20, 512)
	set(t, openRecorder(t, disk), 9, "old")
	newer, _ := values{9: "new"}.encode()
	_, _ = disk.WriteAt(newer, 0)
	_ = openRecorder(t, disk)
	second := make([]byte, copyBytes)
	_, _ = disk.ReadAt(second, copyBytes)
	if !bytes.Equal(second, newer) {
		t.Error("the second copy is still old")
	}
}

func TestFormatIsTheOneOfTalos(t *testing.T) {
	block, err := values{0xa: "net", 6: "A"}.encode()
	if err != nil {
		t.Fatal(err)
	}
	want := "5a4b3c2d" + "00000006" + "00000001" + "41" + "0000000a" + "00000003" + "6e6574" + "00000000"
	if got := hex.EncodeToString(block[:len(want)/2]); got != want {
		t.Errorf("starts %s", got)
	}
	if got := hex.EncodeToString(block[closingAt:]); got != "a5b4c3d2" {
		t.Errorf("ends %s", got)
	}
	sum := block[sumAt:closingAt]
	expected := sha256.Sum256(append(append(append([]byte(nil), block[:sumAt]...), make([]byte, 32)...), block[closingAt:]...))
	if !bytes.Equal(sum, expected[:]) {
		t.Error("wrong checksum")
	}
}

func FuzzDecode(f *testing.F) {
	block, _ := values{1: "one", 0xff: ""}.encode()
	f.Add(block[:64])
	f.Fuzz(func(t *testing.T, data []byte) {
		block := make([]byte, copyBytes)
		copy(block, data)
		sealed := bytes.Clone(block)
		copy(sealed, []byte{0x5a, 0x4b, 0x3c, 0x2d})
		copy(sealed[closingAt:], []byte{0xa5, 0xb4, 0xc3, 0xd2})
		clear(sealed[sumAt:closingAt])
		sum := sha256.Sum256(sealed)
		copy(sealed[sumAt:], sum[:])
		for _, candidate := range [][]byte{block, sealed} {
			if found, err := decode(candidate); err == nil {
				if _, err := found.encode(); err != nil {
					t.Fatalf("what was read cannot be written: %v", err)
				}
			}
		}
	})
}

// slowState holds the reader of a list up.
type slowState struct {
	state.State
	listing func()
}

func (s slowState) List(ctx context.Context, kind resource.Kind, options ...state.ListOption) (resource.List, error) {
	s.listing()
	return s.State.List(ctx, kind, options...)
}

func TestPublishByTwoEndsWithTheNewest(t *testing.T) {
	ctx := context.Background()
	st := state.WrapCore(namespaced.NewState(inmem.Build))
	s := openRecorder(t, blockdevice.NewRecorder(1<<20, 512))
	entered, leave := make(chan struct{}), make(chan struct{})
	failures := make([]error, 2)
	var both sync.WaitGroup
	set(t, s, 0xa, "old")
	both.Go(func() {
		failures[0] = s.Publish(ctx, slowState{st, func() { close(entered); <-leave }})
	})
	<-entered
	set(t, s, 0xa, "new")
	both.Go(func() { failures[1] = s.Publish(ctx, st) })
	time.Sleep(20 * time.Millisecond) // in which the second would be done, if it could overtake
	close(leave)
	both.Wait()
	key, err := safe.StateGetByID[*runtime.MetaKey](ctx, st, "0x0a")
	if err := errors.Join(append(failures, err)...); err != nil || key.TypedSpec().Value != "new" {
		t.Errorf("got %v, %v", key, err)
	}
}

func TestPublish(t *testing.T) {
	ctx := context.Background()
	st := state.WrapCore(namespaced.NewState(inmem.Build))
	s := openRecorder(t, blockdevice.NewRecorder(1<<20, 512))
	set(t, s, 0xa, "net")
	set(t, s, 0xc, "mine")
	if err := s.Publish(ctx, st); err != nil {
		t.Fatal(err)
	}
	set(t, s, 0xa, "other")
	if err := errors.Join(s.Delete(0xc), s.Publish(ctx, st)); err != nil {
		t.Fatal(err)
	}
	list, err := safe.StateListAll[*runtime.MetaKey](ctx, st)
	if err != nil || list.Len() != 1 {
		t.Fatalf("%d keys, %v", list.Len(), err)
	}
	if key := list.Get(0); key.Metadata().ID() != "0x0a" || key.TypedSpec().Value != "other" {
		t.Errorf("%s = %q", key.Metadata().ID(), key.TypedSpec().Value)
	}
}
