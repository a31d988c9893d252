// SPDX-License-Identifier: Apache-2.0

package logs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func read(t *testing.T, m *Manager, id string, o Options) string {
	t.Helper()
	r, err := m.Reader(context.Background(), id, o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if n, err := io.WriteString(w, text); err != nil || n != len(text) {
		t.Fatalf("wrote %d: %v", n, err)
	}
}

func TestReaderGivesTheTailWhenAsked(t *testing.T) {
	m := NewManager(0)
	w := m.Writer("apid")
	write(t, w, "one\ntwo\n\nfo")
	write(t, w, "ur\nfive")
	for _, tc := range []struct {
		tail int32
		want string
	}{{-1, "one\ntwo\n\nfour\n"}, {0, ""}, {1, "four\n"}, {2, "\nfour\n"}, {4, "one\ntwo\n\nfour\n"}, {9, "one\ntwo\n\nfour\n"}} {
		if got := read(t, m, "apid", Options{TailLines: tc.tail}); got != tc.want {
			t.Errorf("tail %d: got %q, want %q", tc.tail, got, tc.want)
		}
	}
	w.Close()
	if got := read(t, m, "apid", Options{TailLines: 1}); got != "five\n" {
		t.Errorf("after close: got %q", got)
	}
	if _, err := w.Write([]byte("x")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed writer: %v", err)
	}
}

func TestRingKeepsTheNewestLinesWhenFull(t *testing.T) {
	for _, size := range []int{1, 7, 100, 1000, 5000} {
		m := NewManager(maxLine)
		w := m.Writer("x")
		var all []string
		for i := range 40000 / size {
			line := fmt.Sprintf("%d %s", i, strings.Repeat("x", size))
			all = append(all, line)
			write(t, w, line+"\n")
		}
		got := read(t, m, "x", Options{TailLines: -1})
		want := strings.Join(all, "\n") + "\n"
		if !strings.HasSuffix(want, got) || len(got) > maxLine || len(got) < maxLine-size-10 {
			t.Errorf("size %d: kept %d bytes", size, len(got))
		}
		if tail := read(t, m, "x", Options{TailLines: 2}); tail != strings.Join(all[len(all)-2:], "\n")+"\n" {
			t.Errorf("size %d: tail has %d bytes", size, len(tail))
		}
	}
}

func TestLongLinesAreSplit(t *testing.T) {
	m := NewManager(4 * maxLine)
	w := m.Writer("x")
	write(t, w, strings.Repeat("a", maxLine-1)+"\n")
	write(t, w, strings.Repeat("b", 2*maxLine)+"\nend\n")
	lines := strings.Split(read(t, m, "x", Options{TailLines: -1}), "\n")
	var lengths []int
	for _, line := range lines {
		lengths = append(lengths, len(line))
	}
	if want := []int{maxLine - 1, maxLine - 1, maxLine - 1, 2, 3, 0}; !slices.Equal(lengths, want) {
		t.Errorf("got %v, want %v", lengths, want)
	}
}

func TestSlowReaderIsToldWhatItLost(t *testing.T) {
	m := NewManager(0)
	w := m.Writer("x")
	write(t, w, "first line\nsecond\n")
	r, err := m.Reader(context.Background(), "x", Options{Follow: true, TailLines: -1})
	if err != nil {
		t.Fatal(err)
	}
	part := make([]byte, 5)
	if _, err := io.ReadFull(r, part); err != nil || string(part) != "first" {
		t.Fatalf("%q %v", part, err)
	}
	for i := range 2000 {
		write(t, w, fmt.Sprintf("line %04d %s\n", i, strings.Repeat("x", 100)))
	}
	lines := bufio.NewScanner(r)
	var got []string
	for range 3 {
		lines.Scan()
		got = append(got, lines.Text())
	}
	var lost, next int
	fmt.Sscanf(got[1], "[%d lines lost: this reader was too slow]", &lost)
	fmt.Sscanf(got[2], "line %d", &next)
	if got[0] != "" || lost != next+2 || lost < 1800 {
		t.Errorf("got %q", got)
	}
}

func TestFollowEndsWithTheContextOrClose(t *testing.T) {
	m := NewManager(0)
	m.Writer("x").Close()
	ctx, cancel := context.WithCancel(context.Background())
	byContext, _ := m.Reader(ctx, "x", Options{Follow: true})
	byClose, _ := m.Reader(context.Background(), "x", Options{Follow: true})
	results := make(chan error, 2)
	for _, r := range []io.Reader{byContext, byClose} {
		go func() {
			_, err := r.Read(make([]byte, 9))
			results <- err
		}()
	}
	time.Sleep(10 * time.Millisecond)
	cancel()
	if err := <-results; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	byClose.Close()
	byClose.Close()
	if err := <-results; !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

func TestReaderThatDoesNotFollowEndsUnderAWriter(t *testing.T) {
	m := NewManager(0)
	w := m.Writer("x")
	write(t, w, "before\n")
	r, _ := m.Reader(context.Background(), "x", Options{TailLines: -1})
	write(t, w, "after\n")
	if text, err := io.ReadAll(r); err != nil || string(text) != "before\n" {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestManyWritersAndReaders(t *testing.T) {
	m := NewManager(1 << 20)
	const writers, lines = 8, 200
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	m.Writer("x").Close()
	var wait sync.WaitGroup
	for range 4 {
		r, err := m.Reader(ctx, "x", Options{Follow: true, TailLines: -1})
		if err != nil {
			t.Fatal(err)
		}
		wait.Go(func() {
			count := 0
			for s := bufio.NewScanner(r); count < writers*lines && s.Scan(); count++ {
				if !strings.HasPrefix(s.Text(), "begin") || !strings.HasSuffix(s.Text(), "end") {
					t.Errorf("torn line %q", s.Text())
				}
			}
			if count != writers*lines {
				t.Errorf("read %d lines", count)
			}
		})
	}
	for i := range writers {
		wait.Go(func() {
			w := m.Writer("x")
			for j := range lines {
				fmt.Fprintf(w, "begin %d ", i)
				fmt.Fprintf(w, "%d end\n", j)
			}
			w.Close()
		})
	}
	wait.Wait()
}

func TestIDs(t *testing.T) {
	for id, want := range map[string]bool{
		"apid": true, "ext-a.b_c": true, "kube-system:pod-1": true, "": false, "../x": false, "a/b": false, "-x": false,
		".x": false, "a b": false, "\x00": false, "é": false, strings.Repeat("a", MaxID): true, strings.Repeat("a", MaxID+1): false,
	} {
		if got := ValidID(id); got != want {
			t.Errorf("%q: %v", id, got)
		}
	}
	m := NewManager(0)
	m.Writer("b")
	m.Writer("a")
	if got := m.IDs(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %v", got)
	}
	if _, err := m.Reader(context.Background(), "c", Options{}); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
	if _, err := m.Reader(context.Background(), "../c", Options{}); !errors.Is(err, ErrID) {
		t.Error(err)
	}
	if _, err := m.Writer("../c").Write([]byte("x")); !errors.Is(err, ErrID) {
		t.Error(err)
	}
	for i := range maxLogs {
		m.Writer(fmt.Sprint("log", i))
	}
	if _, err := m.Writer("more").Write([]byte("x")); !errors.Is(err, ErrTooMany) || len(m.IDs()) != maxLogs {
		t.Error(err)
	}
}

func FuzzWriter(f *testing.F) {
	f.Add([]byte("a\nb"), 1)
	f.Fuzz(func(t *testing.T, text []byte, step int) {
		m := NewManager(1 << 20)
		w := m.Writer("x")
		step = max(1, step&0xffff)
		for part := range slices.Chunk(text, step) {
			if _, err := w.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
		want := string(text)
		if want != "" && !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		if len(want) < maxLine && read(t, m, "x", Options{TailLines: -1}) != want {
			t.Error("text changed")
		}
	})
}
