// SPDX-License-Identifier: Apache-2.0

// Package logs keeps the last lines of every service in memory: one bounded ring of bytes for each id. Writers never
// wait for readers: a reader that is too slow loses the oldest lines and is told how many.
// Limits: at most maxLogs ids, lines of at most maxLine bytes (longer ones are split), nothing survives a restart.
package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Bounds of what is kept, besides the bytes for each log.
const (
	maxLogs = 256
	maxLine = 16 << 10 // bytes with the line break
	MaxID   = 128      // bytes
)

// Errors of Reader, and of the writers of a wrong id.
var (
	ErrID      = errors.New("log id is not valid: expected letters, digits and . _ - : after a letter or digit")
	ErrUnknown = errors.New("log does not exist")
	ErrTooMany = fmt.Errorf("more than %d logs", maxLogs)
)

// Options say what a reader gets.
type Options struct {
	Follow    bool  // wait for new lines instead of ending
	TailLines int32 // of the lines that are there, only so many of the newest; negative for all
}

// Manager holds the logs by id. It is safe for concurrent use.
type Manager struct {
	bytesPerLog int
	mu          sync.Mutex
	logs        map[string]*ring
}

// NewManager keeps at most bytesPerLog bytes for each id, but always room for one line.
func NewManager(bytesPerLog int) *Manager {
	return &Manager{bytesPerLog: max(bytesPerLog, maxLine), logs: map[string]*ring{}}
}

// Writer appends to the log with this id and makes it when there is none. Each writer completes its own lines, so that
// several may write to one log. Close completes the last line; the log stays. A writer for an id that is not valid, or
// that is one too many, fails at each Write.
func (m *Manager) Writer(id string) io.WriteCloser {
	r, err := m.open(id)
	return &writer{ring: r, err: err}
}

// Reader reads the log with this id from where the options say. The end of a log that is not followed is where it was
// at this call. When ctx ends, a waiting Read returns its error.
func (m *Manager) Reader(ctx context.Context, id string, o Options) (io.ReadCloser, error) {
	if !ValidID(id) {
		return nil, fmt.Errorf("%.*q: %w", MaxID, id, ErrID)
	}
	m.mu.Lock()
	r, ok := m.logs[id]
	m.mu.Unlock()
	if !ok {
		return nil, fmt.Errorf("%q: %w", id, ErrUnknown)
	}
	return newReader(ctx, r, o), nil
}

// IDs returns the ids of all logs in order.
func (m *Manager) IDs() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.logs))
}

// ValidID tells whether an id may name a log: it never looks like a path or an option.
func ValidID(id string) bool {
	const first = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return id != "" && len(id) <= MaxID && strings.Contains(first, id[:1]) && strings.Trim(id, first+"._-:") == ""
}

func (m *Manager) open(id string) (*ring, error) {
	if !ValidID(id) {
		return nil, fmt.Errorf("%.*q: %w", MaxID, id, ErrID)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if r, ok := m.logs[id]; ok {
		return r, nil
	}
	if len(m.logs) == maxLogs {
		return nil, ErrTooMany
	}
	r := &ring{limit: m.bytesPerLog}
	m.logs[id] = r
	return r, nil
}
