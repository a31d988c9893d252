// SPDX-License-Identifier: Apache-2.0

package blockdevice

import (
	"bytes"
	"io"
)

// Recorder is storage in memory that logs its writes, so that tests can ask what a power cut would have left. It keeps
// the blocks that are not zeros: a disk of gigabytes costs what was written to it.
type Recorder struct {
	size, sector int64
	blocks       map[int64][]byte
	log          []write // in order
}

type write struct {
	offset int64
	data   []byte // nil: a flush
	zeros  int64
}

const recorderBlock = 4096

// NewRecorder returns storage that reads as zeros.
func NewRecorder(size, sector int64) *Recorder {
	return &Recorder{size: size, sector: sector, blocks: map[int64][]byte{}}
}

// Size is in bytes.
func (r *Recorder) Size() int64 { return r.size }

// SectorBytes is the logical sector size.
func (r *Recorder) SectorBytes() int64 { return r.sector }

// Sync is logged: writes before it are on the medium when writes after it are.
func (r *Recorder) Sync() error {
	r.log = append(r.log, write{})
	return nil
}

// DropCache has nothing to drop.
func (r *Recorder) DropCache() error { return r.Sync() }

// ReadAt reads all bytes or none.
func (r *Recorder) ReadAt(p []byte, offset int64) (int, error) {
	if checkRange(offset, int64(len(p)), r.size) != nil {
		return 0, io.EOF
	}
	for done := int64(0); done < int64(len(p)); {
		at := offset + done
		n := min(recorderBlock-at%recorderBlock, int64(len(p))-done)
		target := p[done : done+n]
		if block := r.blocks[at/recorderBlock]; block != nil {
			copy(target, block[at%recorderBlock:])
		} else {
			clear(target)
		}
		done += n
	}
	return len(p), nil
}

// WriteAt logs and applies.
func (r *Recorder) WriteAt(p []byte, offset int64) (int, error) {
	if err := checkRange(offset, int64(len(p)), r.size); err != nil {
		return 0, err
	}
	r.log = append(r.log, write{offset: offset, data: bytes.Clone(p)})
	r.apply(p, offset)
	return len(p), nil
}

// Zero logs and applies.
func (r *Recorder) Zero(offset, length int64) error {
	if err := checkRange(offset, length, r.size); err != nil {
		return err
	}
	r.log = append(r.log, write{offset: offset, zeros: length})
	r.applyZeros(offset, length)
	return nil
}

// Writes is the number of steps at which the power can fail.
func (r *Recorder) Writes() int { return len(r.log) }

// Forget starts a new log; the content stays.
func (r *Recorder) Forget() { r.log = nil }

// CutAfter returns the storage as it was after the first n steps of the log on top of start, the next write torn: only
// its first `torn` bytes arrived.
func (r *Recorder) CutAfter(start *Recorder, n int, torn int64) *Recorder {
	cut := start.Clone()
	for _, w := range r.log[:n] {
		cut.replay(w, 1<<62)
	}
	if n < len(r.log) {
		cut.replay(r.log[n], torn)
	}
	return cut
}

// Clone copies the content, without the log.
func (r *Recorder) Clone() *Recorder { return r.Enlarged(r.size) }

// Enlarged is a copy on a larger medium, as when an image is written to a disk.
func (r *Recorder) Enlarged(size int64) *Recorder {
	copied := NewRecorder(size, r.sector)
	for number, block := range r.blocks {
		copied.blocks[number] = bytes.Clone(block)
	}
	return copied
}

func (r *Recorder) replay(w write, limit int64) {
	if w.data != nil {
		r.apply(w.data[:min(limit, int64(len(w.data)))], w.offset)
		return
	}
	r.applyZeros(w.offset, min(limit, w.zeros))
}

func (r *Recorder) apply(p []byte, offset int64) {
	for len(p) > 0 {
		number, at := offset/recorderBlock, offset%recorderBlock
		n := min(recorderBlock-at, int64(len(p)))
		block := r.blocks[number]
		if block == nil {
			block = make([]byte, recorderBlock)
			r.blocks[number] = block
		}
		copy(block[at:], p[:n])
		p, offset = p[n:], offset+n
	}
}

func (r *Recorder) applyZeros(offset, length int64) {
	for length > 0 {
		number, at := offset/recorderBlock, offset%recorderBlock
		n := min(recorderBlock-at, length)
		switch block := r.blocks[number]; {
		case block == nil:
		case n == recorderBlock:
			delete(r.blocks, number)
		default:
			clear(block[at : at+n])
		}
		offset, length = offset+n, length-n
	}
}
