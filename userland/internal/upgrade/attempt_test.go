// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dodeka/userland/internal/bootentry"
	"dodeka/userland/internal/metastore"
)

func TestAnAttemptIsKeptWhenTheMachineIsWell(t *testing.T) {
	r, store := machine(t), memory{}
	begun(t, r, store)
	if text, _ := os.ReadFile(filepath.Join(r.Loaders.ESP, bootentry.GrubEnvironment)); !strings.Contains(string(text), "dodeka_next="+next+"\n") {
		t.Errorf("the loader was told %q", text)
	}
	a, found, err := AtBoot(store, r.Loaders, next)
	if !found || err != nil || a.State != Trying || a.Version != "1.1.0" {
		t.Fatalf("got %+v, %v, %v", a, found, err)
	}
	if err := a.Keep(store, r.Loaders); err != nil {
		t.Fatal(err)
	}
	if a, _, _ := AtBoot(store, r.Loaders, next); a.State != Kept {
		t.Errorf("got %+v", a)
	}
	if entry, _ := r.Loaders.Default(); entry != next {
		t.Errorf("the default is %q", entry)
	}
}

func TestAnAttemptThatEndsIsNotTriedAgain(t *testing.T) {
	for _, reason := range []string{"", "apid is not healthy"} {
		r, store := machine(t), memory{}
		begun(t, r, store)
		want := "it ended before the machine was well"
		if reason != "" {
			want = reason
			a, _, _ := AtBoot(store, r.Loaders, next)
			if err := a.GiveUp(store, reason); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			a, found, err := AtBoot(store, r.Loaders, old)
			if !found || err != nil || a.State != Failed || a.Reason != want {
				t.Errorf("got %+v, %v, %v", a, found, err)
			}
		}
		if entry, _ := r.Loaders.Default(); entry != old {
			t.Errorf("the default is %q", entry)
		}
		if _, err := Rollback(store, r.Loaders, old); !errors.Is(err, ErrNoOther) {
			t.Errorf("got %v", err)
		}
	}
}

func TestABootLoaderThatCannotBeToldEndsTheAttempt(t *testing.T) {
	r, store := machine(t), memory{}
	v, err := Write(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	r.Loaders.EFI = filepath.Join(t.TempDir(), "read-only")
	if err := Begin(store, r.Loaders, v, old); err == nil {
		t.Error("it was told")
	}
	if a, _ := Last(store); a.State != Failed || !strings.Contains(a.Reason, "LoaderEntryOneShot") {
		t.Errorf("got %+v", a)
	}
}

func TestRollbackGoesBackAndForth(t *testing.T) {
	r, store := machine(t), memory{}
	if _, err := Rollback(store, r.Loaders, old); !errors.Is(err, ErrNoOther) {
		t.Errorf("got %v", err)
	}
	begun(t, r, store)
	if _, err := Rollback(store, r.Loaders, next); !errors.Is(err, ErrNoOther) {
		t.Errorf("got %v", err)
	}
	a, _, _ := AtBoot(store, r.Loaders, next)
	if err := a.Keep(store, r.Loaders); err != nil {
		t.Fatal(err)
	}
	running := next
	for _, want := range []string{old, next, old} {
		entry, err := Rollback(store, r.Loaders, running)
		if entry != want || err != nil {
			t.Fatalf("got %q, %v, expected %s", entry, err, want)
		}
		if chosen, _ := r.Loaders.Default(); chosen != want {
			t.Errorf("the default is %q", chosen)
		}
		if a, _, _ := AtBoot(store, r.Loaders, entry); a.State == Trying || a.State == Failed {
			t.Errorf("got %+v", a)
		}
		running = entry
	}
	if err := os.Remove(filepath.Join(r.Loaders.ESP, r.Files[2].Path)); err != nil {
		t.Fatal(err)
	}
	if _, err := Rollback(store, r.Loaders, old); err == nil || !strings.Contains(err.Error(), "no root image") {
		t.Errorf("got %v", err)
	}
	if chosen, _ := r.Loaders.Default(); chosen != old {
		t.Errorf("the default is %q", chosen)
	}
}

// cut is a store whose power is cut at the next write.
type cut struct{ memory }

func (cut) Set(uint8, string) error { return errors.New("no power") }

func TestAPowerCutBetweenLoaderAndStoreIsMadeGood(t *testing.T) {
	r, store := machine(t), memory{}
	v, err := Write(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if err := Begin(cut{store}, r.Loaders, v, old); err == nil {
		t.Error("begun without the store")
	}
	if text, _ := os.ReadFile(filepath.Join(r.Loaders.ESP, bootentry.GrubEnvironment)); strings.Contains(string(text), "dodeka_next="+next) {
		t.Error("a version is tried that the store does not know")
	}
	begun(t, r, store)
	a, _, _ := AtBoot(store, r.Loaders, next)
	if err := a.Keep(cut{store}, r.Loaders); err == nil {
		t.Error("kept without the store")
	}
	if a, _, err := AtBoot(store, r.Loaders, next); a.State != Kept || err != nil {
		t.Errorf("got %+v, %v", a, err)
	}
	for _, running := range []string{next, old, next} {
		want := map[string]string{next: old, old: next}[running]
		if entry, err := Rollback(cut{store}, r.Loaders, running); err == nil || entry != want {
			t.Errorf("rolled back from %s to %q, %v", running, entry, err)
		}
		if chosen, _ := r.Loaders.Default(); chosen != want {
			t.Errorf("the default is %q", chosen)
		}
	}
}

func TestAnAttemptIsAbandonedForAnother(t *testing.T) {
	r, store := machine(t), memory{}
	begun(t, r, store)
	if err := Abandon(store, r.Loaders, old); err != nil {
		t.Fatal(err)
	}
	if a, _ := Last(store); a.State != Failed || !strings.Contains(a.Reason, "another version was asked for") {
		t.Errorf("got %+v", a)
	}
	if text, _ := os.ReadFile(filepath.Join(r.Loaders.ESP, bootentry.GrubEnvironment)); !strings.Contains(string(text), "dodeka_next=\n") {
		t.Errorf("still armed: %q", text)
	}
	if err := Abandon(store, r.Loaders, old); err != nil {
		t.Error(err)
	}
}

func TestOtherContentOfMETAIsNoAttempt(t *testing.T) {
	for _, text := range []string{"", "{", `{"entry":"x","previous":"dodeka_1","state":"kept"}`, `{"entry":"dodeka_1","state":"trying"}`} {
		if a, found, err := AtBoot(memory{metastore.UpgradeAttempt: text}, bootentry.Loaders{}, old); found || err != nil {
			t.Errorf("%q: %+v, %v", text, a, err)
		}
	}
}

func begun(t *testing.T, r Request, store Store) {
	t.Helper()
	v, err := Write(t.Context(), r)
	if err == nil {
		err = Begin(store, r.Loaders, v, old)
	}
	if err != nil {
		t.Fatal(err)
	}
}

type memory map[uint8]string

func (m memory) Get(tag uint8) (string, bool) {
	text, found := m[tag]
	return text, found
}

func (m memory) Set(tag uint8, value string) error {
	m[tag] = value
	return nil
}
