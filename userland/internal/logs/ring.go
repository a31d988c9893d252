// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"bytes"
	"sync"
)

const firstSize = 4 << 10 // bytes; most logs stay short, and there are many

// ring keeps whole lines. Positions count the bytes that were ever written, so a reader's position stays true when
// lines are dropped or the storage grows.
type ring struct {
	limit int

	mu      sync.Mutex
	data    []byte // the byte at position p is data[p % len(data)]
	start   uint64 // position of the oldest byte; always the begin of a line
	end     uint64 // position after the newest byte; always the end of a line
	dropped uint64 // lines before start
	changed chan struct{}
}

// append adds whole lines, at most maxLine bytes of them.
func (r *ring) append(lines []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.grow(int(r.end-r.start) + len(lines))
	for int(r.end-r.start)+len(lines) > len(r.data) {
		r.dropLine()
	}
	at := int(r.end % uint64(len(r.data)))
	copied := copy(r.data[at:], lines)
	copy(r.data, lines[copied:])
	r.end += uint64(len(lines))
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// grow doubles the storage until need fits or the limit is reached.
func (r *ring) grow(need int) {
	size := max(len(r.data), min(firstSize, r.limit))
	for size < need && size < r.limit {
		size = min(2*size, r.limit)
	}
	if size == len(r.data) {
		return
	}
	data := make([]byte, size)
	for p := r.start; p < r.end; {
		part := r.at(p)
		at := int(p % uint64(size))
		p += uint64(copy(data[at:], part))
	}
	r.data = data
}

// at returns bytes from a position on up to where the storage wraps or the log ends.
func (r *ring) at(p uint64) []byte {
	index := int(p % uint64(len(r.data)))
	return r.data[index:min(len(r.data), index+int(r.end-p))]
}

func (r *ring) dropLine() {
	for {
		part := r.at(r.start)
		if i := bytes.IndexByte(part, '\n'); i >= 0 {
			r.start += uint64(i + 1)
			r.dropped++
			return
		}
		r.start += uint64(len(part))
	}
}

// tail returns the position of the last n lines, and how many lines were ever written before it.
func (r *ring) tail(n int32) (position, line uint64) {
	if n < 0 {
		return r.start, r.dropped
	}
	total := r.dropped
	for p := r.start; p < r.end; {
		part := r.at(p)
		total += uint64(bytes.Count(part, []byte{'\n'}))
		p += uint64(len(part))
	}
	position, line = r.start, r.dropped
	for total-line > uint64(n) {
		part := r.at(position)
		i := bytes.IndexByte(part, '\n')
		if i < 0 {
			position += uint64(len(part))
			continue
		}
		position += uint64(i + 1)
		line++
	}
	return position, line
}

// wait returns a channel that is closed at the next append. The caller holds the lock.
func (r *ring) wait() <-chan struct{} {
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return r.changed
}
