// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
)

const link = "apiVersion: v1alpha1\nkind: LinkConfig\nname: eth0\nmtu: 1400\n"

func TestAcquireTakesSourcesInOrder(t *testing.T) {
	broken := Source{Name: "broken", Read: func(context.Context) ([]byte, error) { return nil, errors.New("no answer") }}
	explodes := Source{Name: "explodes", Read: func(context.Context) ([]byte, error) { panic("nil map") }}
	none := Source{Name: "none", Read: func(context.Context) ([]byte, error) { return nil, ErrNone }}
	tests := []struct {
		name     string
		stored   []string // host names, oldest first
		sources  []Source
		complete bool
		want     []string // in the active configuration
		fail     string
	}{
		{name: "nothing"},
		{name: "nothing anywhere", sources: []Source{none, static("empty", "")}},
		{name: "STATE first", stored: []string{"old", "kept"}, sources: []Source{static("x", string(whole("network: {hostname: other}")))}, complete: true, want: []string{"hostname: kept"}},
		{name: "first complete source ends it", sources: []Source{none, static("a", string(whole("network: {hostname: a}"))), static("b", "machine: [")}, complete: true, want: []string{"hostname: a"}},
		{name: "documents join", sources: []Source{static("a", link), static("b", string(whole("network: {hostname: b}")))}, complete: true, want: []string{"mtu: 1400", "hostname: b"}},
		{name: "later wins", sources: []Source{static("a", link), static("b", strings.Replace(link, "1400", "9000", 1)+"---\n"+string(whole()))}, complete: true, want: []string{"mtu: 9000"}},
		{name: "broken source is passed over", sources: []Source{broken, static("bad", "machine: {foo: 1}"), static("a", string(whole("network: {hostname: a}")))}, complete: true, want: []string{"hostname: a"}},
		{name: "source that panics is passed over", sources: []Source{explodes, static("a", string(whole("network: {hostname: a}")))}, complete: true, want: []string{"hostname: a"}},
		{name: "only a source that panics", sources: []Source{explodes}, fail: "configuration from explodes: BUG: panic: nil map"},
		{name: "only broken ones", sources: []Source{broken, static("bad", "machine: {foo: 1}")}, fail: "machine.foo: unknown field"},
		{name: "incomplete", sources: []Source{static("a", link)}, want: []string{"mtu: 1400"}},
		{name: "invalid", sources: []Source{static("a", "machine: {type: foo}")}, fail: `expected "controlplane"`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			dir, st, log := t.TempDir(), newState(), &logged{}
			saved(t, dir, tc.stored...)
			m := New(Options{State: st, Dir: dir, Sources: tc.sources, Log: log.log})
			done, err := m.Acquire(context.Background())
			if done != tc.complete || (err != nil) != (tc.fail != "") || err != nil && !strings.Contains(err.Error(), tc.fail) {
				t.Fatalf("got %v, %v", done, err)
			}
			active := textOf(t, st, "v1alpha1")
			for _, want := range tc.want {
				if !strings.Contains(active, want) {
					t.Errorf("active lacks %q:\n%s", want, active)
				}
			}
			if len(tc.want) == 0 && active != "" {
				t.Errorf("active is %q", active)
			}
			if kept := textOf(t, st, "persistent"); tc.complete != (kept != "") || tc.complete && kept != active {
				t.Errorf("persistent is %q", kept)
			}
			if again, _ := (store{dir: dir}).load(); tc.complete != (again != nil) {
				t.Errorf("STATE has %v", again)
			}
			select {
			case <-m.Completed():
				if !tc.complete {
					t.Error("completed")
				}
			default:
				if tc.complete {
					t.Error("not completed")
				}
			}
		})
	}
}

func TestAcquireUsesThePreviousOneAndSaysSo(t *testing.T) {
	dir, st, log := t.TempDir(), newState(), &logged{}
	saved(t, dir, "a", "b")
	if err := os.Truncate(filepath.Join(dir, currentFile), 500); err != nil {
		t.Fatal(err)
	}
	done, err := New(Options{State: st, Dir: dir, Log: log.log}).Acquire(context.Background())
	if !done || err != nil || !strings.Contains(textOf(t, st, "v1alpha1"), "hostname: a") {
		t.Errorf("got %v, %v", done, err)
	}
	if !log.has("the checksum does not fit") || !log.has("the previous one is used") {
		t.Errorf("log: %q", log.lines)
	}
}

func TestAcquireLocalLeavesTheNetworkOut(t *testing.T) {
	st := newState()
	remote := static("url", string(whole("network: {hostname: remote}")))
	remote.Network = true
	m := New(Options{State: st, Sources: []Source{static("embedded", link), remote, static("disk", link)}})
	if done, err := m.AcquireLocal(context.Background()); done || err != nil {
		t.Fatalf("got %v, %v", done, err)
	}
	if text := textOf(t, st, "v1alpha1"); !strings.Contains(text, "mtu: 1400") || strings.Contains(text, "remote") {
		t.Errorf("active is %q", text)
	}
	if done, err := m.Acquire(context.Background()); !done || err != nil || !strings.Contains(textOf(t, st, "v1alpha1"), "hostname: remote") {
		t.Errorf("got %v, %v", done, err)
	}
}

func TestApplyEndsAWaitingSource(t *testing.T) {
	waiting := make(chan struct{})
	slow := Source{Name: "slow", Network: true, Read: func(ctx context.Context) ([]byte, error) {
		close(waiting)
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	m := New(Options{State: newState(), Sources: []Source{slow}})
	result := make(chan error, 1)
	go func() {
		done, err := m.Acquire(context.Background())
		if err == nil && !done {
			err = errors.New("not complete")
		}
		result <- err
	}()
	<-waiting
	if _, err := m.Apply(context.Background(), Request{Data: whole(), Mode: machine.ApplyConfigurationRequest_AUTO}); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-result:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the source still waits")
	}
}

func TestUseStateDir(t *testing.T) {
	t.Run("writes what is held", func(t *testing.T) {
		st, dir := newState(), t.TempDir()
		saved(t, dir, "stale")
		m := New(Options{State: st, Sources: []Source{static("a", string(whole("network: {hostname: a}")))}})
		if _, err := m.Acquire(context.Background()); err != nil || textOf(t, st, "persistent") != "" {
			t.Fatalf("%v, persistent without STATE", err)
		}
		if err := m.UseStateDir(dir); err != nil {
			t.Fatal(err)
		}
		if provider, _ := (store{dir: dir}).load(); hostname(provider) != "a" || !strings.Contains(textOf(t, st, "persistent"), "hostname: a") {
			t.Errorf("STATE has %q", hostname(provider))
		}
	})
	t.Run("reads when nothing is held", func(t *testing.T) {
		st, dir := newState(), t.TempDir()
		saved(t, dir, "a")
		m := New(Options{State: st, Sources: []Source{static("embedded", link)}})
		if done, err := m.AcquireLocal(context.Background()); done || err != nil {
			t.Fatal(done, err)
		}
		if err := m.UseStateDir(dir); err != nil {
			t.Fatal(err)
		}
		if done, err := m.Acquire(context.Background()); !done || err != nil || !strings.Contains(textOf(t, st, "v1alpha1"), "hostname: a") {
			t.Errorf("got %v, %v", done, err)
		}
	})
	t.Run("says when it cannot write", func(t *testing.T) {
		m := New(Options{State: newState(), Sources: []Source{static("a", string(whole()))}})
		_, _ = m.Acquire(context.Background())
		if err := m.UseStateDir(filepath.Join(t.TempDir(), "missing")); err == nil {
			t.Error("no error")
		}
	})
}

func TestEmbedded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "machine-config")
	if _, err := Embedded(path).Read(context.Background()); !errors.Is(err, ErrNone) {
		t.Errorf("without a file: %v", err)
	}
	if err := os.WriteFile(path, []byte(link), 0o400); err != nil {
		t.Fatal(err)
	}
	if data, err := Embedded(path).Read(context.Background()); err != nil || string(data) != link {
		t.Errorf("got %q, %v", data, err)
	}
	if _, err := Embedded(filepath.Dir(path)).Read(context.Background()); err == nil {
		t.Error("a directory is read")
	}
}
