// SPDX-License-Identifier: Apache-2.0

package dashboardview

import (
	"fmt"
	"strings"

	"dodeka/userland/internal/screen"
)

// Painter draws frames on one terminal and remembers what it shows.
type Painter struct {
	shown [screen.Rows]Row
	known bool
}

// Forget makes the next Paint draw everything: at first, after a write that failed, and now and then, as the kernel may
// write on the same terminal.
func (p *Painter) Forget() { p.known = false }

// Paint returns the bytes that turn what the terminal shows into the frame: nothing when it shows it already. Of a row
// only the part between the first and the last character that differ is sent. A row is never followed by a line break,
// and the last character of the screen scrolls nothing, as console_codes(4) terminals wrap only at the next one.
func (p *Painter) Paint(frame [screen.Rows]Row) []byte {
	var b strings.Builder
	if !p.known {
		b.WriteString("\x1b[0m\x1b[2J\x1b[?25l") // attributes off, clear, hide the cursor
		p.shown = [screen.Rows]Row{}
		for i := range p.shown {
			p.shown[i].Text = screen.Fit("")
		}
	}
	for i, row := range frame {
		first, last := difference(p.shown[i], row)
		if first > last {
			continue
		}
		fmt.Fprintf(&b, "\x1b[%d;%dH", i+1, first+1)
		if row.Reverse {
			b.WriteString("\x1b[7m")
		}
		b.WriteString(row.Text[first : last+1])
		if row.Reverse {
			b.WriteString("\x1b[0m")
		}
	}
	p.shown, p.known = frame, true
	return []byte(b.String())
}

// difference gives the first and the last column that differ; first is greater when none does.
func difference(a, b Row) (first, last int) {
	first, last = 0, screen.Columns-1
	if a.Reverse != b.Reverse {
		return first, last
	}
	for first <= last && a.Text[first] == b.Text[first] {
		first++
	}
	for last > first && a.Text[last] == b.Text[last] {
		last--
	}
	return first, last
}
