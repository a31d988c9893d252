// SPDX-License-Identifier: Apache-2.0

// Package dashboardview turns the state of the machine into the rows of a console of 80 columns by 25 rows, and into
// lines for consoles that show one line after the other. It draws only what changed.
// Spec: VT100 (CUP, SGR, DECTCEM) as console_codes(4) describes it. Limit: ASCII; a text that is too long ends in "~".
package dashboardview

import (
	"fmt"
	"strings"
	"time"

	"dodeka/userland/internal/screen"
)

const (
	maxLinks = 5
	maxUnmet = 2
	minLog   = 4 // rows that the log always has
	halfRow  = screen.Columns / 2
)

// View is what there is to show. Empty fields are not known yet.
type View struct {
	Name, Version, Platform, Arch string
	Hostname                      string
	Stage                         string // of the machine: "booting", "maintenance", "running", ...
	Ready                         bool
	Unmet                         []string // why it is not ready
	Phase                         string   // of the sequence that runs
	Uptime                        time.Duration
	MemoryUsed, MemoryTotal       uint64 // bytes
	Links                         []screen.Link
	Services                      []Service
	Code                          string   // of maintenance; empty when none is wanted
	Log                           []string // the newest last
	Problem                       string   // why this may be out of date
}

// Service is one row of the list of services.
type Service struct {
	ID, State string
	Health    Health
}

// Health of a service.
type Health int

// The kinds of health.
const (
	Unknown Health = iota
	Healthy
	Unhealthy
)

func (h Health) String() string { return [...]string{"", "healthy", "unhealthy"}[h] }

// Row is one row of the screen, of exactly 80 characters.
type Row struct {
	Text    string
	Reverse bool // dark on light
}

// Frame lays out the whole screen.
func Frame(v View) [screen.Rows]Row {
	rows := head(v)
	rows = append(rows, code(v)...)
	rows = append(rows, line('-'))
	rows = append(rows, links(v.Links)...)
	rows = append(rows, line('-'))
	services := services(v.Services)
	rows = append(rows, services[:min(len(services), max(0, screen.Rows-len(rows)-minLog-1))]...)
	rows = append(rows, line('-'))
	log := v.Log[max(0, len(v.Log)-(screen.Rows-len(rows))):]
	for _, text := range log {
		rows = append(rows, Row{Text: text})
	}
	var frame [screen.Rows]Row
	copy(frame[:], rows)
	for i := range frame {
		frame[i].Text = screen.Fit(frame[i].Text)
	}
	return frame
}

func head(v View) []Row {
	stage := orUnknown(v.Stage)
	if v.Ready {
		stage += ", ready"
	}
	memory := ""
	if v.MemoryTotal > 0 {
		memory = fmt.Sprintf("%d of %d MiB", v.MemoryUsed>>20, v.MemoryTotal>>20)
	}
	rows := []Row{
		{Text: screen.Centred(v.Name + " " + v.Version)},
		line('='),
		pair("Host", orUnknown(v.Hostname), "Stage", stage),
		pair("Platform", strings.Trim(v.Platform+" "+v.Arch, " "), "Phase", v.Phase),
		pair("Uptime", screen.FormatUptime(v.Uptime), "Memory", memory),
	}
	if v.Problem != "" {
		rows = append(rows, Row{Text: field("Dashboard", v.Problem), Reverse: true})
	}
	if !v.Ready {
		for _, reason := range v.Unmet[:min(len(v.Unmet), maxUnmet)] {
			rows = append(rows, Row{Text: field("Waits for", reason)})
		}
	}
	return rows
}

// code is what somebody in front of the machine needs to give it its first configuration.
func code(v View) []Row {
	if v.Code == "" {
		return nil
	}
	return []Row{
		{Text: screen.Centred("MAINTENANCE: this machine waits for its first configuration"), Reverse: true},
		{Text: screen.Centred("CODE  " + v.Code), Reverse: true},
		{Text: screen.Centred("add the line \"# dodeka-code: " + v.Code + "\" to the document, then apply it:"), Reverse: true},
		{Text: screen.Centred("talosctl apply-config --insecure --nodes " + nodeAddress(v.Links) + " --file FILE"), Reverse: true},
	}
}

func nodeAddress(links []screen.Link) string {
	for _, l := range links {
		for _, address := range l.Addresses {
			host, _, _ := strings.Cut(address, "/")
			return host
		}
	}
	return "ADDRESS"
}

func links(all []screen.Link) []Row {
	if len(all) == 0 {
		return []Row{{Text: field("Network", "no Ethernet interface")}}
	}
	var rows []Row
	for i, l := range all {
		if i == maxLinks-1 && len(all) > maxLinks {
			return append(rows, Row{Text: field("", fmt.Sprintf("and %d more interfaces", len(all)-i))})
		}
		rows = append(rows, Row{Text: field(l.Name, l.Text())})
	}
	return rows
}

// services come in two columns; an unhealthy or failed one is marked.
func services(all []Service) []Row {
	var rows []Row
	for i := 0; i < len(all); i += 2 {
		text := cell(all[i])
		if i+1 < len(all) {
			text = left(text) + cell(all[i+1])
		}
		rows = append(rows, Row{Text: text})
	}
	return rows
}

func cell(s Service) string {
	mark := " "
	if s.Health == Unhealthy || s.State == "Failed" {
		mark = "!"
	}
	return fmt.Sprintf("%s%-10s %s %s", mark, s.ID, s.State, s.Health)
}

func pair(a, b, c, d string) Row { return Row{Text: left(field(a, b)) + field(c, d)} }

func left(text string) string {
	if len(text) >= halfRow {
		return text[:halfRow-2] + "~ "
	}
	return text + strings.Repeat(" ", halfRow-len(text))
}

func field(label, text string) string { return fmt.Sprintf(" %-10s %s", label, text) }

func line(ch byte) Row { return Row{Text: strings.Repeat(string(ch), screen.Columns)} }

func orUnknown(text string) string {
	if text == "" {
		return "unknown"
	}
	return text
}
