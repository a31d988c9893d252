// SPDX-License-Identifier: Apache-2.0

package timesync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// world is a clock that is off, and servers that know or lie.
type world struct {
	mu      sync.Mutex
	now     time.Time
	offsets map[string]time.Duration // what each server says; one that is missing does not answer
	log     []string                 // what was done to the clock
	lines   []string
	reports []Status
}

func (w *world) Now() time.Time { return w.now }

func (w *world) Step(offset time.Duration) error { return w.note("step", offset) }
func (w *world) Slew(offset time.Duration) error { return w.note("slew", offset) }

func (w *world) note(what string, offset time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = append(w.log, fmt.Sprintf("%s %s", what, offset))
	for server := range w.offsets {
		w.offsets[server] -= offset
	}
	return nil
}

func (w *world) query(ctx context.Context, server string) (time.Duration, error) {
	switch server {
	case "hangs":
		<-ctx.Done()
		return 0, ctx.Err()
	case "explodes":
		panic(server)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	offset, ok := w.offsets[server]
	if !ok {
		return 0, errors.New(server + ": no answer")
	}
	return offset, nil
}

// done is what was done to the clock so far.
func (w *world) done() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.log)
}

func (w *world) shift(offset time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for server := range w.offsets {
		w.offsets[server] += offset
	}
}

// play runs a Syncer over a world while a script lets false time pass.
func play(t *testing.T, w *world, settings Settings, script func(s *Syncer)) {
	synctest.Test(t, func(t *testing.T) {
		if w.now.IsZero() {
			w.now = earliest.Add(time.Hour)
		}
		s := New(Options{Clock: w, Query: w.query, Log: func(text string) { w.lines = append(w.lines, text) },
			Report: func(status Status) { w.reports = append(w.reports, status) }})
		s.Configure(settings)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); s.Run(ctx) }()
		script(s)
		cancel()
		<-done
	})
}

func TestRunStepsOnceThenSlews(t *testing.T) {
	w := &world{offsets: map[string]time.Duration{"a": time.Hour}}
	play(t, w, Settings{Servers: []string{"a"}}, func(s *Syncer) {
		if !s.Wait(context.Background()) {
			t.Error("not synchronised")
		}
		time.Sleep(time.Second)
		w.shift(2 * time.Second)
		time.Sleep(70 * time.Second)
	})
	if want := []string{"step 1h0m0s", "slew 2s"}; !slices.Equal(w.log, want) {
		t.Errorf("got %q, want %q", w.log, want)
	}
	if want := []Status{{Synced: true}, {Synced: true, Epoch: 1}}; !slices.Equal(w.reports, want) {
		t.Errorf("reports %+v, want %+v", w.reports, want)
	}
}

func TestRunSlewsASmallFirstError(t *testing.T) {
	w := &world{offsets: map[string]time.Duration{"a": 20 * time.Millisecond}}
	play(t, w, Settings{Servers: []string{"a"}}, func(s *Syncer) { s.Wait(context.Background()) })
	if want := []string{"slew 20ms"}; !slices.Equal(w.log, want) {
		t.Errorf("got %q", w.log)
	}
}

func TestRunTakesTheMiddleOfSeveralServers(t *testing.T) {
	w := &world{offsets: map[string]time.Duration{"a": time.Second, "liar": 1000 * time.Hour, "b": 1100 * time.Millisecond}}
	play(t, w, Settings{Servers: []string{"a", "liar", "b", "dead", "fifth"}}, func(s *Syncer) { s.Wait(context.Background()) })
	if want := []string{"step 1.1s"}; !slices.Equal(w.log, want) {
		t.Errorf("got %q", w.log)
	}
}

func TestRunDoubtsALargeJumpLater(t *testing.T) {
	w := &world{offsets: map[string]time.Duration{"a": 0}}
	play(t, w, Settings{Servers: []string{"a"}}, func(s *Syncer) {
		s.Wait(context.Background())
		time.Sleep(time.Second)
		w.shift(time.Hour)
		time.Sleep(64 * time.Second)
		if got := w.done(); len(got) != 1 {
			t.Errorf("believed at once: %q", got)
		}
		time.Sleep(time.Minute)
	})
	if want := []string{"slew 0s", "step 1h0m0s"}; !slices.Equal(w.log, want) {
		t.Errorf("got %q", w.log)
	}
}

func TestRunRefusesImpossibleTimes(t *testing.T) {
	for _, offset := range []time.Duration{-10 * 365 * 24 * time.Hour, 100 * 365 * 24 * time.Hour} {
		w := &world{offsets: map[string]time.Duration{"a": offset}}
		play(t, w, Settings{Servers: []string{"a"}}, func(*Syncer) { time.Sleep(5 * time.Minute) })
		if len(w.log) != 0 || len(w.lines) != 1 || !strings.Contains(w.lines[0], "cannot be") {
			t.Errorf("%s: did %q, said %q", offset, w.log, w.lines)
		}
	}
}

func TestWaitIsBoundedAndSaysSo(t *testing.T) {
	for name, tc := range map[string]struct {
		settings Settings
		want     time.Duration
	}{
		"a bound":           {Settings{Servers: []string{"dead"}, BootTimeout: 5 * time.Second}, 5 * time.Second},
		"none":              {Settings{Servers: []string{"dead"}}, 30 * time.Second},
		"one below zero":    {Settings{Servers: []string{"dead"}, BootTimeout: -1}, 30 * time.Second},
		"server that hangs": {Settings{Servers: []string{"hangs"}}, 30 * time.Second},
		"no server":         {Settings{}, 30 * time.Second},
	} {
		w := &world{}
		play(t, w, tc.settings, func(s *Syncer) {
			began := time.Now()
			if s.Wait(context.Background()) {
				t.Errorf("%s: synchronised with nobody", name)
			}
			if took := time.Since(began); took != tc.want {
				t.Errorf("%s: took %s, want %s", name, took, tc.want)
			}
		})
		if want := "within " + tc.want.String(); !slices.ContainsFunc(w.lines, func(l string) bool { return strings.Contains(l, want) }) {
			t.Errorf("%s: said %q, want %q", name, w.lines, want)
		}
	}
}

func TestRunOutlivesAPanicOfAQuery(t *testing.T) {
	w := &world{offsets: map[string]time.Duration{"a": time.Hour}}
	play(t, w, Settings{Servers: []string{"explodes", "a"}}, func(s *Syncer) {
		if !s.Wait(context.Background()) {
			t.Error("not synchronised")
		}
	})
}

func TestDisabledIsSynchronisedAtOnce(t *testing.T) {
	w := &world{}
	play(t, w, Settings{Disabled: true}, func(s *Syncer) {
		if !s.Wait(context.Background()) {
			t.Error("waits for nothing")
		}
	})
	if want := []Status{{Synced: true, Disabled: true}}; !slices.Equal(w.reports, want) || len(w.log) != 0 {
		t.Errorf("reports %+v, did %q", w.reports, w.log)
	}
}

func TestConfigureStartsARoundAtOnce(t *testing.T) {
	w := &world{offsets: map[string]time.Duration{"b": time.Minute}}
	play(t, w, Settings{Servers: []string{"dead"}}, func(s *Syncer) {
		time.Sleep(20 * time.Second)
		s.Configure(Settings{Servers: []string{"b"}})
		synctest.Wait()
		if got := w.done(); !slices.Equal(got, []string{"step 1m0s"}) {
			t.Errorf("got %q", got)
		}
	})
}
