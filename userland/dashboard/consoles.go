// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/boottime"
	"dodeka/userland/internal/dashboardview"
)

const (
	uptimeStep = 10 * time.Second       // between drawings when only the clock moves
	settle     = 200 * time.Millisecond // changes that come together are shown together
	lineGap    = 2 * time.Second        // between lines for a slow console
	redrawAll  = time.Minute            // as the kernel may have written on the screen
	writeLimit = time.Second            // a serial line that is held must not stop the others
)

// consoles collects the values of an option that may be given several times.
type consoles []string

func (c *consoles) String() string { return strings.Join(*c, ",") }

func (c *consoles) Set(value string) error {
	*c = append(*c, value)
	return nil
}

// open takes "fd:3" for a descriptor that this process was given, or the path of a device.
func open(name string) (*os.File, error) {
	number, given := strings.CutPrefix(name, "fd:")
	if !given {
		return os.OpenFile(name, os.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 3 {
		return nil, fmt.Errorf("console %q: expected fd: and a number from 3", name)
	}
	if err := unix.SetNonblock(n, true); err != nil { // such files take a write deadline
		return nil, fmt.Errorf("console %q: %w", name, err)
	}
	return os.NewFile(uintptr(n), name), nil
}

// output is one console.
type output interface {
	show(v dashboardview.View, now time.Time)
}

// present shows the model on every console until ctx ends.
func present(ctx context.Context, m *model, all []output) {
	ticker := time.NewTicker(uptimeStep)
	defer ticker.Stop()
	for {
		v := m.current()
		v.Uptime = boottime.Now()
		for _, one := range all {
			one.show(v, time.Now())
		}
		select {
		case <-m.changed:
			time.Sleep(settle)
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// screenOutput draws frames.
type screenOutput struct {
	file    *os.File
	painter dashboardview.Painter
	whole   time.Time // when everything was drawn
}

func (s *screenOutput) show(v dashboardview.View, now time.Time) {
	if now.Sub(s.whole) >= redrawAll {
		s.painter.Forget()
		s.whole = now
	}
	bytes := s.painter.Paint(dashboardview.Frame(v))
	if len(bytes) == 0 {
		return
	}
	if write(s.file, bytes) != nil {
		s.painter.Forget()
	}
}

// lineOutput writes what changed, not more often than every few seconds.
type lineOutput struct {
	file  *os.File
	lines dashboardview.Lines
	last  time.Time
}

func (l *lineOutput) show(v dashboardview.View, now time.Time) {
	if now.Sub(l.last) < lineGap || v.Version == "" && v.Code == "" { // nothing to tell before the API answers
		return
	}
	lines := l.lines.Next(v)
	if len(lines) == 0 {
		return
	}
	l.last = now
	for _, line := range lines {
		_ = write(l.file, []byte(line+"\n")) // one write for each, so that lines of others do not tear it
	}
}

func write(file *os.File, bytes []byte) error {
	_ = file.SetWriteDeadline(time.Now().Add(writeLimit))
	_, err := file.Write(bytes)
	return err
}
