// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"bytes"
	"os"
	"sync"
)

// writer hands whole lines to the ring and holds back what is not a whole line yet.
type writer struct {
	ring *ring
	err  error // each Write fails with it

	mu      sync.Mutex
	partial []byte
}

// Write never waits for readers. It returns an error only for a writer that is closed or was never valid.
func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, w.err
	}
	for rest := p; len(rest) > 0; {
		room := maxLine - 1 - len(w.partial)
		i := bytes.IndexByte(rest[:min(len(rest), room+1)], '\n')
		switch {
		case i >= 0:
			w.complete(rest[:i])
			rest = rest[i+1:]
		case len(rest) > room:
			w.complete(rest[:room])
			rest = rest[room:]
		default:
			w.partial = append(w.partial, rest...)
			rest = nil
		}
	}
	return len(p), nil
}

// Close completes the last line.
func (w *writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && len(w.partial) > 0 {
		w.complete(nil)
	}
	if w.err == nil {
		w.err = os.ErrClosed
	}
	return nil
}

func (w *writer) complete(rest []byte) {
	line := append(w.partial, rest...)
	w.ring.append(append(line, '\n'))
	w.partial = line[:0]
	if cap(w.partial) > firstSize { // one long line must not keep its memory
		w.partial = nil
	}
}
