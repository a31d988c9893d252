// SPDX-License-Identifier: Apache-2.0

// Package events keeps the last events of the machine in a ring and hands them to any number of watchers. Whoever
// publishes never waits: a watcher that is too slow loses the oldest events that it has not read, and is told so.
package events

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
)

// ErrSlow ends the watch of a reader that fell behind by more than the ring holds.
var ErrSlow = errors.New("events were lost: the reader is too slow")

// Event is one thing that happened. IDs of one boot sort by time as text.
type Event struct {
	ID      string
	ActorID string // of the request that caused it, empty where the machine itself did
	Payload proto.Message
	at      time.Time
	number  uint64
}

// WatchOptions chooses what a watcher sees before new events. At most one Tail* field is used, in this order.
type WatchOptions struct {
	TailEvents  int    // this many of the past, -1 for all that are kept
	TailID      string // those after this one; all that are kept when it is unknown
	TailSeconds int    // those of the last seconds
	Actor       string // only events with this ActorID, when not empty
}

// Stream is safe for concurrent use.
type Stream struct {
	mu     sync.Mutex
	ring   []Event // at number % len
	next   uint64  // number of the event to come
	prefix int64   // tells the events of this boot from those of another
	now    func() time.Time
	wake   chan struct{} // closed and replaced when an event comes
}

// NewStream keeps the last capacity events, at least one.
func NewStream(capacity int) *Stream {
	return &Stream{ring: make([]Event, max(capacity, 1)), prefix: time.Now().UnixNano(), now: time.Now, wake: make(chan struct{})}
}

// Publish never blocks. The payload must not be changed afterwards.
func (s *Stream) Publish(actor string, payload proto.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.next
	s.ring[n%uint64(len(s.ring))] = Event{
		ID: fmt.Sprintf("%016x-%08x", s.prefix, n), ActorID: actor, Payload: payload, at: s.now(), number: n,
	}
	s.next++
	close(s.wake)
	s.wake = make(chan struct{})
}

// Watch sends the past that the options ask for and then what comes. The channel is closed when ctx ends, or when the
// reader lost events.
func (s *Stream) Watch(ctx context.Context, options WatchOptions) (<-chan Event, error) {
	if options.TailEvents < -1 || options.TailSeconds < 0 {
		return nil, fmt.Errorf("tail of %d events, %d seconds: expected a number from 0, or -1 for all events",
			options.TailEvents, options.TailSeconds)
	}
	s.mu.Lock()
	position := s.start(options)
	s.mu.Unlock()
	out := make(chan Event)
	go func() {
		defer close(out)
		for {
			event, wake, err := s.read(position)
			switch {
			case err != nil:
				return
			case wake != nil:
				select {
				case <-wake:
				case <-ctx.Done():
					return
				}
				continue
			}
			position++
			if options.Actor != "" && event.ActorID != options.Actor {
				continue
			}
			select {
			case out <- event:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// read returns the event at the position, or what to wait for when it has not happened yet.
func (s *Stream) read(position uint64) (Event, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if position >= s.next {
		return Event{}, s.wake, nil
	}
	if position < s.oldest() {
		return Event{}, nil, ErrSlow
	}
	return s.ring[position%uint64(len(s.ring))], nil, nil
}

func (s *Stream) oldest() uint64 {
	if size := uint64(len(s.ring)); s.next > size {
		return s.next - size
	}
	return 0
}

// start finds the number of the first event that a watcher wants.
func (s *Stream) start(options WatchOptions) uint64 {
	oldest := s.oldest()
	switch {
	case options.TailEvents < 0:
		return oldest
	case options.TailEvents > 0:
		return max(oldest, s.next-min(s.next, uint64(options.TailEvents)))
	case options.TailID != "":
		return s.first(oldest, func(e Event) bool { return e.ID > options.TailID })
	case options.TailSeconds > 0:
		since := s.now().Add(-time.Duration(options.TailSeconds) * time.Second)
		return s.first(oldest, func(e Event) bool { return !e.at.Before(since) })
	}
	return s.next
}

func (s *Stream) first(from uint64, wanted func(Event) bool) uint64 {
	for n := from; n < s.next; n++ {
		if wanted(s.ring[n%uint64(len(s.ring))]) {
			return n
		}
	}
	return s.next
}
