// SPDX-License-Identifier: Apache-2.0

// Package screen draws the status of the machine: on the screen as 80 columns by 25 rows, on other consoles as lines.
// Spec: ECMA-48 (CUP, ED) as console_codes(4) describes it. Limit: ASCII; a text that is too long ends in "~".
package screen

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The size that every text console has.
const (
	Columns = 80
	Rows    = 25
)

const (
	shortHash = 16 // digits of the root hash that are shown
	maxLinks  = 6
	maxEvents = 8
)

// Status is what there is to show.
type Status struct {
	Name     string
	Version  string
	Platform string
	RootHash string
	Phase    string
	Hostname string
	Uptime   time.Duration
	Links    []Link
	Events   []string // console lines, the newest last
}

// Link is one network interface.
type Link struct {
	Name      string
	State     string // "up", "no carrier", "waiting for an address"
	Addresses []string
	Gateways  []string
}

// Text is what a row says of a link: addresses and gateways, or why it has none.
func (l Link) Text() string {
	text := l.State
	if len(l.Addresses) > 0 {
		text = strings.Join(l.Addresses, " ")
	}
	if len(l.Gateways) > 0 {
		text += " via " + strings.Join(l.Gateways, " ")
	}
	return text
}

// Frame returns the rows of the screen, each of exactly Columns characters.
func Frame(s Status) [Rows]string {
	lines := []string{
		Centred(fmt.Sprintf("%s %s", s.Name, s.Version)),
		strings.Repeat("=", Columns),
		field("Host", s.Hostname),
		field("Platform", s.Platform),
		field("Root", short(s.RootHash)),
		field("Phase", s.Phase),
		field("Uptime", FormatUptime(s.Uptime)),
		strings.Repeat("-", Columns),
	}
	lines = append(lines, linkRows(s.Links)...)
	for len(lines) < Rows-maxEvents-2 {
		lines = append(lines, "")
	}
	lines = append(lines, strings.Repeat("-", Columns))
	lines = append(lines, s.Events[max(0, len(s.Events)-maxEvents):]...)
	var frame [Rows]string
	for row := range frame {
		text := ""
		if row < len(lines) {
			text = lines[row]
		}
		frame[row] = Fit(text)
	}
	return frame
}

// Draw returns the bytes that put the frame on a terminal. Each row is placed by itself: a row of 80 characters
// followed by a line break would scroll some terminals.
func Draw(s Status) []byte {
	var b strings.Builder
	b.WriteString("\x1b[?25l") // hide the cursor
	for row, text := range Frame(s) {
		fmt.Fprintf(&b, "\x1b[%d;1H%s", row+1, text)
	}
	return []byte(b.String())
}

// Clear returns the bytes that empty a terminal.
func Clear() []byte { return []byte("\x1b[0m\x1b[2J") }

// LinePrefix begins each of Lines.
const LinePrefix = "dodeka: status "

// Lines returns the status for a console that shows one line after the other. It leaves out what changes by itself.
func Lines(s Status) []string {
	lines := []string{LinePrefix + fmt.Sprintf("version=%s platform=%s host=%s root=%s phase=%s",
		s.Version, s.Platform, s.Hostname, short(s.RootHash), s.Phase)}
	for _, l := range s.Links {
		lines = append(lines, LinePrefix+fmt.Sprintf("link=%s state=%q addresses=%s gateways=%s",
			l.Name, l.State, list(l.Addresses, ","), list(l.Gateways, ",")))
	}
	return lines
}

// Equal tells whether two states of the links look the same.
func Equal(a, b []Link) bool {
	return slices.EqualFunc(a, b, func(x, y Link) bool {
		return x.Name == y.Name && x.State == y.State && slices.Equal(x.Addresses, y.Addresses) && slices.Equal(x.Gateways, y.Gateways)
	})
}

func linkRows(links []Link) []string {
	if len(links) == 0 {
		return []string{field("Network", "no Ethernet interface")}
	}
	var rows []string
	for i, l := range links {
		if i == maxLinks {
			return append(rows, field("", fmt.Sprintf("and %d more interfaces", len(links)-maxLinks)))
		}
		rows = append(rows, field(l.Name, l.Text()))
	}
	return rows
}

func field(label, text string) string { return fmt.Sprintf(" %-10s %s", label, text) }

// Centred puts a text into the middle of a row.
func Centred(text string) string {
	return strings.Repeat(" ", max(0, (Columns-len(text))/2)) + text
}

// Fit pads or ends a row to Columns characters. Whatever is not printable ASCII would move the cursor or widen the row.
func Fit(text string) string {
	b := []byte(text)
	for i, ch := range b {
		if ch < 0x20 || ch > 0x7e {
			b[i] = '?'
		}
	}
	if len(b) > Columns {
		return string(b[:Columns-1]) + "~"
	}
	return string(b) + strings.Repeat(" ", Columns-len(b))
}

func short(hash string) string { return hash[:min(len(hash), shortHash)] }

func list(values []string, separator string) string {
	if len(values) == 0 {
		return "none"
	}
	return strings.Join(values, separator)
}

// FormatUptime gives hours, minutes and seconds, after the days.
func FormatUptime(d time.Duration) string {
	seconds := int(d.Seconds())
	days, rest := seconds/86400, seconds%86400
	clock := fmt.Sprintf("%02d:%02d:%02d", rest/3600, rest/60%60, rest%60)
	if days == 0 {
		return clock
	}
	return fmt.Sprintf("%d d %s", days, clock)
}
