// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"sync"
)

// reader has its own position. Reads are not meant to run at the same time; Close may run during one.
type reader struct {
	ctx    context.Context
	ring   *ring
	follow bool

	next   uint64 // position of the next byte
	line   uint64 // lines before next
	stop   uint64 // where a log ends that is not followed
	notice []byte // to be read first: lines were lost
	middle bool   // a line was given only in part

	close  sync.Once
	closed chan struct{}
}

func newReader(ctx context.Context, r *ring, o Options) *reader {
	r.mu.Lock()
	defer r.mu.Unlock()
	x := &reader{ctx: ctx, ring: r, follow: o.Follow, stop: r.end, closed: make(chan struct{})}
	x.next, x.line = r.tail(o.TailLines)
	return x
}

// Read gives whole lines where p has room for them.
func (x *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if err := x.ended(); err != nil {
			return 0, err
		}
		n, more := x.take(p)
		if n > 0 {
			return n, nil
		}
		if more == nil {
			return 0, io.EOF
		}
		select {
		case <-more:
		case <-x.closed:
		case <-x.ctx.Done():
		}
	}
}

// Close ends a Read that waits.
func (x *reader) Close() error {
	x.close.Do(func() { close(x.closed) })
	return nil
}

func (x *reader) ended() error {
	select {
	case <-x.closed:
		return os.ErrClosed
	default:
		return x.ctx.Err()
	}
}

// take copies what there is. Without anything it returns a channel to wait for, or nil at the end.
func (x *reader) take(p []byte) (int, <-chan struct{}) {
	r := x.ring
	r.mu.Lock()
	defer r.mu.Unlock()
	if x.next < r.start {
		x.skipLost()
	}
	if len(x.notice) > 0 {
		n := copy(p, x.notice)
		x.notice = x.notice[n:]
		return n, nil
	}
	if x.next >= r.end || (!x.follow && x.next >= x.stop) {
		if !x.follow {
			return 0, nil
		}
		return 0, r.wait()
	}
	part := r.at(x.next)
	if !x.follow {
		part = part[:min(uint64(len(part)), x.stop-x.next)]
	}
	n := copy(p, part)
	x.next += uint64(n)
	x.line += uint64(bytes.Count(part[:n], []byte{'\n'}))
	x.middle = part[n-1] != '\n'
	return n, nil
}

// skipLost goes on at the oldest line that is left. A line that was given in part counts as lost.
func (x *reader) skipLost() {
	text := fmt.Sprintf("[%d lines lost: this reader was too slow]\n", x.ring.dropped-x.line)
	if x.middle {
		text = "\n" + text
	}
	x.notice = append(x.notice, text...)
	x.next, x.line, x.middle = x.ring.start, x.ring.dropped, false
}
