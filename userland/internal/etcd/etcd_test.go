// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dodeka/userland/internal/containerd"
)

const patience = time.Minute // of a loaded host

// life is one of the service, as the supervisor would start it.
type life struct {
	b        *bench
	prepared chan error
	ended    chan error
	end      context.CancelFunc
}

func (b *bench) begins() *life {
	ctx, cancel := context.WithCancel(b.t.Context())
	l := &life{b, make(chan error, 1), make(chan error, 1), cancel}
	go func() {
		err := b.prepare(ctx, func(string) {})
		l.prepared <- err
		if err == nil {
			err = b.run(ctx, b.log)
		}
		l.ended <- err
	}()
	b.t.Cleanup(cancel)
	return l
}

// stops ends the life, and tells how it ended.
func (l *life) stops() error {
	l.end()
	return await(l.b.t, l.ended)
}

func await[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(patience):
		t.Fatal("it never came")
	}
	panic("unreachable")
}

func (b *bench) becomes(what string, is func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Fatalf("it never became %s", what)
		}
	}
}

func (b *bench) isSettled() bool { return !slices.Contains(b.files(), "etcd.bootstrap") }

func TestItWaitsForABootstrap(t *testing.T) {
	b := newBench(t)
	l := b.begins()
	select {
	case err := <-l.prepared:
		t.Fatalf("it went on: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if _, err := b.Status(t.Context()); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("status: %v", err)
	}
	if err := b.Bootstrap(t.Context(), false, false); err != nil {
		t.Fatal(err)
	}
	if err := await(t, l.prepared); err != nil {
		t.Fatal(err)
	}
	b.becomes("settled", b.isSettled)
	if err := b.healthy(t.Context()); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"system etcd:1"}, b.runtime.fetched); diff != "" {
		t.Error(diff)
	}
	if err := l.stops(); err != nil {
		t.Error(err)
	}
}

func TestWhatTheContainerGets(t *testing.T) {
	b := newBench(t)
	b.put("etcd/member/wal", "data")
	l := b.begins()
	b.becomes("healthy", func() bool { return b.healthy(t.Context()) == nil })
	p := b.runtime.last()
	if err := l.stops(); err != nil {
		t.Error(err)
	}
	if p.ID != "etcd" || p.Image != "etcd:1" || p.User != 60 || p.Cgroup != "system/etcd" || p.OutputDir != b.Memory {
		t.Errorf("%+v", p)
	}
	want := []containerd.Mount{{Source: b.data(), Inside: b.data(), Writable: true}, {Source: b.certificates(), Inside: b.certificates()}}
	if diff := cmp.Diff(want, p.Mounts); diff != "" {
		t.Error(diff)
	}
	for _, want := range []string{"etcd", "--name=keeper", "--advertise-client-urls=https://192.0.2.7:2379",
		"--initial-cluster=keeper=https://192.0.2.7:2380", "--client-cert-auth=true", "--peer-client-cert-auth=true", "--tls-min-version=TLS1.3"} {
		if !slices.Contains(p.Args, want) {
			t.Errorf("no %s in %q", want, p.Args)
		}
	}
	if about, err := os.Stat(b.data()); err != nil || about.Mode().Perm() != 0o700 {
		t.Errorf("data folder: %v %v", about, err)
	}
}

func TestSecondBootstrapIsRefused(t *testing.T) {
	tests := []struct {
		name string
		file string
	}{{"while the first one is carried out", "etcd.bootstrap"}, {"with data", "etcd/member/wal"}}
	for _, tc := range tests {
		b := newBench(t)
		b.put(tc.file, "{}")
		if err := b.Bootstrap(t.Context(), false, false); status.Code(err) != codes.AlreadyExists {
			t.Errorf("bootstrap %s: %v", tc.name, err)
		}
		if err := b.Recover(partsOf()); status.Code(err) != codes.AlreadyExists {
			t.Errorf("recover %s: %v", tc.name, err)
		}
	}
}

func TestWithDataItStartsByItself(t *testing.T) {
	b := newBench(t)
	b.put("etcd/member/wal", "data")
	l := b.begins()
	if err := await(t, l.prepared); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(b.files(), "etcd/member/wal") {
		t.Error("the data are gone")
	}
	if err := l.stops(); err != nil {
		t.Error(err)
	}
}

// A power cut before etcd has a leader may leave a log that no leader can come from.
func TestBootstrapThatWasCutBeginsAnew(t *testing.T) {
	b := newBench(t)
	b.server.lead(0)
	if err := b.Bootstrap(t.Context(), false, false); err != nil {
		t.Fatal(err)
	}
	l := b.begins()
	if err := await(t, l.prepared); err != nil {
		t.Fatal(err)
	}
	b.put("etcd/member/wal", "half")
	time.Sleep(3 * startWait)
	if err := l.stops(); err != nil || b.isSettled() {
		t.Fatalf("settled without a leader: %v", err)
	}

	b.open(b.Options) // the next boot
	b.server.lead(1)
	next := b.begins()
	if err := await(t, next.prepared); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(b.files(), "etcd/member/wal") {
		t.Error("it began with half of a log")
	}
	if err := next.stops(); err != nil {
		t.Error(err)
	}
}

func TestWhatGoesWrongIsSaid(t *testing.T) {
	tests := []struct {
		name   string
		change func(*bench)
		want   string
	}{
		{"no image", func(b *bench) { b.runtime.fetch = errors.New("no registry") }, "image etcd:1: no registry"},
		{"a status", func(b *bench) { b.runtime.etcd = func(context.Context) error { return containerd.Exited{Status: 2} } }, "exit status 2"},
		{"an end", func(b *bench) { b.runtime.etcd = func(context.Context) error { return nil } }, "etcd ended by itself"},
	}
	for _, tc := range tests {
		b := newBench(t)
		b.put("etcd/member/wal", "data")
		tc.change(b)
		if err := await(t, b.begins().ended); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestBootForgetsWhatWasNotFinished(t *testing.T) {
	b := newBench(t)
	for _, name := range []string{"etcd.snapshot", "etcd.snapshot.part", "etcd.restored/member/wal"} {
		b.put(name, "x")
	}
	b.open(b.Options)
	if left := b.files(); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	b.put("etcd.snapshot", "x")
	b.put("etcd.bootstrap", "{}")
	b.open(b.Options)
	if left := b.files(); len(left) != 2 {
		t.Errorf("a bootstrap that is under way has %v", left)
	}
}

func TestHealth(t *testing.T) {
	b := newBench(t)
	b.put("etcd/member/wal", "data")
	b.begins()
	b.becomes("healthy", func() bool { return b.healthy(t.Context()) == nil })
	b.server.lead(0)
	if err := b.healthy(t.Context()); err == nil || err.Error() != "there is no leader" {
		t.Error(err)
	}
	b.server.lead(1)
	b.server.errors = []string{"memberID:5 alarm:NOSPACE "}
	if err := b.healthy(t.Context()); err == nil || !strings.Contains(err.Error(), "NOSPACE") {
		t.Error(err)
	}
}
