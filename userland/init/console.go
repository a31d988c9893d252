// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"
	"time"

	"dodeka/userland/internal/boottime"
	"dodeka/userland/internal/screen"
)

const (
	uptimeStep = 10 * time.Second       // between drawings when only the clock moves
	settle     = 200 * time.Millisecond // changes that come together are shown together
)

// startConsole turns the virtual terminal into a status screen. The other consoles go on receiving lines.
func startConsole(s *system) error {
	terminal := s.out.TakeScreen(func(line string) {
		if !strings.HasPrefix(line, screen.LinePrefix) { // the screen shows the status already
			s.board.AddEvent(line)
		}
	})
	if dashboardInstalled() { // it draws on a terminal of its own, and tells the line consoles
		return nil
	}
	s.guard("console", func() { s.showStatus(terminal) })
	return nil
}

// showStatus draws at every change, and prints the status to the other consoles when the machine is ready and when
// its links change after that.
func (s *system) showStatus(terminal *os.File) {
	if terminal != nil {
		drawOn(terminal, screen.Clear())
	}
	ticker := time.NewTicker(uptimeStep)
	defer ticker.Stop()
	var printed *screen.Status
	for {
		status := s.board.Status()
		status.Uptime = boottime.Now()
		if terminal != nil {
			drawOn(terminal, screen.Draw(status))
		}
		if status.Phase == readyPhase && (printed == nil || !sameLines(*printed, status)) {
			printed = &status
			for _, line := range screen.Lines(status) {
				s.out.Line(line)
			}
		}
		select {
		case <-s.board.Changed():
			time.Sleep(settle)
		case <-ticker.C:
		}
	}
}

func sameLines(a, b screen.Status) bool {
	return a.Hostname == b.Hostname && a.Phase == b.Phase && screen.Equal(a.Links, b.Links)
}

// drawOn bounds the time of a drawing as the console does for lines.
func drawOn(terminal *os.File, bytes []byte) {
	_ = terminal.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = terminal.Write(bytes)
}
