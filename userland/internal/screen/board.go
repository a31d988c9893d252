// SPDX-License-Identifier: Apache-2.0

package screen

import (
	"slices"
	"sync"
)

// Board holds the status that several parts of the system change. It is safe for concurrent use.
type Board struct {
	mu      sync.Mutex
	status  Status
	changed chan struct{}
}

// NewBoard starts with the given status.
func NewBoard(s Status) *Board {
	return &Board{status: s, changed: make(chan struct{}, 1)}
}

// Change alters the status and wakes whoever draws it.
func (b *Board) Change(alter func(*Status)) {
	b.mu.Lock()
	alter(&b.status)
	b.mu.Unlock()
	select {
	case b.changed <- struct{}{}:
	default: // a wake-up is already waiting
	}
}

// AddEvent appends a console line and forgets the oldest that is no longer shown.
func (b *Board) AddEvent(line string) {
	b.Change(func(s *Status) {
		s.Events = append(s.Events, line)
		s.Events = slices.Clone(s.Events[max(0, len(s.Events)-maxEvents):])
	})
}

// Changed delivers a value after one or more changes.
func (b *Board) Changed() <-chan struct{} { return b.changed }

// Status is a copy of what there is to show now.
func (b *Board) Status() Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.status
	s.Links, s.Events = slices.Clone(s.Links), slices.Clone(s.Events)
	return s
}
