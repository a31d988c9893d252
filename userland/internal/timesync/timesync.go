// SPDX-License-Identifier: Apache-2.0

// Package timesync keeps the clock right by SNTP: it steps the clock once, as a machine without a battery starts in the
// past, and then only slews it, so that time never runs backwards under the services.
// Spec: RFC 4330 section 5 (unicast client), adjtimex(2). Left out: authentication (NTS), PTP, leap seconds, and
// disciplining the frequency, which the kernel's own loop does.
// Nobody signs an answer. So the middle of several servers counts, a time before this program was written is refused, and
// a large jump of a clock that had been right must be confirmed by several rounds.
package timesync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"dodeka/userland/internal/guard"
)

const (
	defaultBootTimeout = 30 * time.Second
	stepFrom           = 100 * time.Millisecond // smaller first errors are slewed
	distrustFrom       = 10 * time.Second       // of a clock that had been right
	confirmations      = 3                      // rounds that must agree on a large jump
	maxServers         = 4                      // asked in a round
	firstPause         = 2 * time.Second        // after a round without an answer, doubled up to the longest
	longestPause       = time.Minute
	firstPoll          = 64 * time.Second // after a good round, doubled up to the longest
	longestPoll        = 1024 * time.Second
)

// earliest is before this was written: no machine that runs it lives then.
var earliest = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// latest keeps a liar from making every certificate expire for good.
var latest = time.Date(2100, time.January, 1, 0, 0, 0, 0, time.UTC)

// Clock is the machine's.
type Clock interface {
	Now() time.Time
	Step(offset time.Duration) error // at once
	Slew(offset time.Duration) error // little by little; replaces what is left of the slew before
}

// Settings say whom to ask, and how long the boot waits.
type Settings struct {
	Disabled    bool
	Servers     []string
	BootTimeout time.Duration // 0 or less: 30 seconds, so that the wait always ends
}

func (s Settings) equal(o Settings) bool {
	return s.Disabled == o.Disabled && s.BootTimeout == o.BootTimeout && slices.Equal(s.Servers, o.Servers)
}

// Status is what time.Status says. Epoch counts the steps.
type Status struct {
	Synced   bool
	Epoch    int
	Disabled bool
}

// Options of a Syncer. Report is called with every change of the status.
type Options struct {
	Clock  Clock
	Query  func(ctx context.Context, server string) (offset time.Duration, err error)
	Report func(Status)
	Log    func(text string)
}

// Syncer keeps one clock.
type Syncer struct {
	options Options
	changed chan struct{}
	synced  chan struct{} // closed at the first good round, or when there shall be none
	once    sync.Once

	mu       sync.Mutex
	settings Settings
	status   Status

	doubts int // rounds that agreed on a large jump; owned by Run
}

// New makes a Syncer that asks nobody until it is configured.
func New(o Options) *Syncer {
	return &Syncer{options: o, changed: make(chan struct{}, 1), synced: make(chan struct{})}
}

// Configure takes new settings; the same ones again change nothing.
func (s *Syncer) Configure(settings Settings) {
	s.mu.Lock()
	same := s.settings.equal(settings)
	s.settings = settings
	s.mu.Unlock()
	if same {
		return
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// Wait returns true when the clock is right or nobody shall care, and false when the time for it is over or the context
// ended: the machine goes on with the clock it has.
func (s *Syncer) Wait(ctx context.Context) bool {
	s.mu.Lock()
	limit := s.settings.BootTimeout
	s.mu.Unlock()
	if limit <= 0 {
		limit = defaultBootTimeout
	}
	select {
	case <-s.synced:
		return true
	case <-time.After(limit):
		s.options.Log(fmt.Sprintf("time: no answer from a time server within %s, going on", limit))
	case <-ctx.Done():
	}
	return false
}

// Run returns when the context ends.
func (s *Syncer) Run(ctx context.Context) {
	pause, poll, quiet := firstPause, firstPoll, false
	for ctx.Err() == nil {
		select {
		case <-s.changed: // the settings that are read now
		default:
		}
		next := longestPoll
		switch settings := s.current(); {
		case settings.Disabled:
			s.set(func(status *Status) { status.Disabled, status.Synced = true, true })
			s.once.Do(func() { close(s.synced) })
		case len(settings.Servers) > 0:
			s.set(func(status *Status) { status.Disabled = false })
			if err := s.round(ctx, settings.Servers); err != nil {
				if !quiet && ctx.Err() == nil {
					s.options.Log("time: " + err.Error())
				}
				quiet, poll = true, firstPoll // one line for a server that stays away
				next, pause = pause, min(2*pause, longestPause)
			} else {
				quiet, pause = false, firstPause
				next, poll = poll, min(2*poll, longestPoll)
			}
		}
		select {
		case <-ctx.Done():
		case <-s.changed:
			pause, quiet = firstPause, false
		case <-time.After(next):
		}
	}
}

func (s *Syncer) current() Settings {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings
}

func (s *Syncer) set(change func(*Status)) {
	s.mu.Lock()
	before := s.status
	change(&s.status)
	after := s.status
	s.mu.Unlock()
	if before != after {
		s.options.Report(after)
	}
}

// round asks the servers and corrects the clock by the middle of their answers.
func (s *Syncer) round(ctx context.Context, servers []string) error {
	offsets, err := s.ask(ctx, servers[:min(len(servers), maxServers)])
	if err != nil {
		return err
	}
	slices.Sort(offsets)
	offset := offsets[len(offsets)/2]
	if now := s.options.Clock.Now().Add(offset); now.Before(earliest) || now.After(latest) {
		return fmt.Errorf("the servers say %s, which cannot be", now.UTC().Format(time.DateOnly))
	}
	return s.correct(offset)
}

func (s *Syncer) ask(ctx context.Context, servers []string) ([]time.Duration, error) {
	type answer struct {
		offset time.Duration
		err    error
	}
	answers := make(chan answer, len(servers))
	for _, server := range servers {
		go func() {
			var a answer
			a.err = guard.Run(func() (err error) { // what a stranger sent must not end PID 1
				a.offset, err = s.options.Query(ctx, server)
				return err
			})
			answers <- a
		}()
	}
	var offsets []time.Duration
	var failed []error
	for range servers {
		if a := <-answers; a.err != nil {
			failed = append(failed, a.err)
		} else {
			offsets = append(offsets, a.offset)
		}
	}
	if len(offsets) == 0 {
		return nil, errors.Join(failed...)
	}
	return offsets, nil
}

// correct steps the first time, and later only after a large jump was confirmed (a virtual machine that slept).
func (s *Syncer) correct(offset time.Duration) error {
	large, first := offset.Abs() >= distrustFrom, !s.everSynced()
	if !large {
		s.doubts = 0
	}
	if large && !first {
		if s.doubts++; s.doubts < confirmations {
			return fmt.Errorf("the servers say the clock is off by %s, which was right before; asking again", offset)
		}
	}
	step := s.options.Clock.Slew
	if stepping := large || (first && offset.Abs() >= stepFrom); stepping {
		step = s.options.Clock.Step
		s.options.Log(fmt.Sprintf("time: stepping the clock by %s", offset.Round(time.Millisecond)))
		defer s.set(func(status *Status) { status.Epoch++ })
	}
	if err := step(offset); err != nil {
		return fmt.Errorf("correct the clock by %s: %w", offset, err)
	}
	s.doubts = 0
	s.once.Do(func() { close(s.synced) })
	s.set(func(status *Status) { status.Synced = true })
	return nil
}

func (s *Syncer) everSynced() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status.Synced && !s.status.Disabled
}
