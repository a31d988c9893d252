// SPDX-License-Identifier: Apache-2.0

package events

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/wrapperspb"
)

func publish(s *Stream, actor string, values ...int) {
	for _, v := range values {
		s.Publish(actor, wrapperspb.Int64(int64(v)))
	}
}

// read takes count events, or fewer when none comes for a moment.
func read(t *testing.T, from <-chan Event, count int) (values []int) {
	t.Helper()
	for len(values) < count {
		select {
		case e, open := <-from:
			if !open {
				return values
			}
			values = append(values, int(e.Payload.(*wrapperspb.Int64Value).Value))
		case <-time.After(5 * time.Second):
			t.Fatalf("no event after %v", values)
		}
	}
	return values
}

func TestWatchTails(t *testing.T) {
	clock := time.Unix(1000, 0)
	s := NewStream(4)
	s.now = func() time.Time { return clock }
	for v := range 6 { // 0 and 1 fall out of the ring
		clock = clock.Add(time.Second)
		publish(s, fmt.Sprint("actor", v%2), v)
	}
	third := s.ring[3].ID
	tests := []struct {
		name    string
		options WatchOptions
		want    []int
	}{
		{"new events only", WatchOptions{}, []int{6}},
		{"all that are kept", WatchOptions{TailEvents: -1}, []int{2, 3, 4, 5, 6}},
		{"two of the past", WatchOptions{TailEvents: 2}, []int{4, 5, 6}},
		{"more than are kept", WatchOptions{TailEvents: 100}, []int{2, 3, 4, 5, 6}},
		{"after an event", WatchOptions{TailID: third}, []int{4, 5, 6}},
		{"after an unknown event", WatchOptions{TailID: "0"}, []int{2, 3, 4, 5, 6}},
		{"of the last second", WatchOptions{TailSeconds: 1}, []int{4, 5, 6}},
		{"of one actor", WatchOptions{TailEvents: -1, Actor: "actor0"}, []int{2, 4, 6}},
	}
	channels := make([]<-chan Event, len(tests))
	for i, tc := range tests {
		channel, err := s.Watch(t.Context(), tc.options)
		if err != nil {
			t.Fatal(err)
		}
		channels[i] = channel
		if len(tc.want) > 1 { // drain the past before the ring moves on
			if got := read(t, channel, len(tc.want)-1); !slices.Equal(got, tc.want[:len(tc.want)-1]) {
				t.Errorf("%s: past %v, want %v", tc.name, got, tc.want)
			}
		}
	}
	publish(s, "actor0", 6)
	for i, tc := range tests {
		if got := read(t, channels[i], 1); got[0] != 6 {
			t.Errorf("%s: next %v", tc.name, got)
		}
	}
}

func TestWatchRefusesNegativeTails(t *testing.T) {
	for _, options := range []WatchOptions{{TailEvents: -2}, {TailSeconds: -1}} {
		if _, err := NewStream(1).Watch(t.Context(), options); err == nil {
			t.Errorf("%+v was accepted", options)
		}
	}
}

func TestPublishDoesNotWaitForASlowReader(t *testing.T) {
	s := NewStream(2)
	channel, err := s.Watch(t.Context(), WatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() { publish(s, "", make([]int, 1000)...) })
	}
	writers.Wait()
	for range channel { // ends: the reader lost events
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	channel, err := NewStream(1).Watch(ctx, WatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, open := <-channel; open {
		t.Error("an event came from nowhere")
	}
}
