// SPDX-License-Identifier: Apache-2.0

package screen

import (
	"strings"
	"sync"
	"testing"
	"time"

	"dodeka/userland/internal/golden"
)

func sample() Status {
	return Status{
		Name: "Dodeka", Version: "1.2.3", Platform: "metal", RootHash: strings.Repeat("0123456789abcdef", 4),
		Phase: "ready", Hostname: "dodeka-123456", Uptime: 26*time.Hour + 3*time.Minute + 4*time.Second,
		Links: []Link{
			{Name: "eth0", State: "up", Addresses: []string{"10.0.2.15/24", "fec0::5054:ff:fe12:3456/64"}, Gateways: []string{"10.0.2.2"}},
			{Name: "eth1", State: "no carrier"},
		},
		Events: []string{"dodeka: phase network t=6.123", "dodeka: ready version=1.2.3 " + strings.Repeat("x", 80)},
	}
}

func TestFrame(t *testing.T) {
	many := sample()
	many.Links = nil
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		many.Links = append(many.Links, Link{Name: "eth-" + name, State: "no carrier"})
	}
	for range 20 {
		many.Events = append(many.Events, "line")
	}
	tests := []struct {
		name   string
		status Status
	}{{"ready", sample()}, {"empty", Status{}}, {"many", many}}
	for _, tc := range tests {
		frame := Frame(tc.status)
		for row, text := range frame {
			if len(text) != Columns {
				t.Errorf("%s: row %d has %d columns", tc.name, row+1, len(text))
			}
		}
		golden.Equal(t, "testdata/"+tc.name+".txt", strings.Join(frame[:], "|\n")+"|\n")
	}
}

func TestLines(t *testing.T) {
	golden.Equal(t, "testdata/lines.txt", strings.Join(Lines(sample()), "\n")+"\n")
}

func TestDrawCannotBeSteeredByText(t *testing.T) {
	s := sample()
	s.Hostname = "\x1b[2J\n\u00e9"
	drawn := string(Draw(s))
	if strings.Contains(drawn, "\x1b[2J") || strings.ContainsAny(drawn, "\n\u00e9") {
		t.Errorf("drew %q", drawn)
	}
	if got := strings.Count(drawn, "\x1b["); got != Rows+1 {
		t.Errorf("%d control sequences, want %d", got, Rows+1)
	}
}

func TestBoardKeepsTheNewestEventsAndWakesOnce(t *testing.T) {
	b := NewBoard(Status{})
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() { b.AddEvent("old") })
	}
	wait.Wait()
	b.AddEvent("new")
	s := b.Status()
	if len(s.Events) != maxEvents || s.Events[maxEvents-1] != "new" {
		t.Errorf("events %v", s.Events)
	}
	<-b.Changed()
	select {
	case <-b.Changed():
		t.Error("woke twice")
	default:
	}
	s.Events[0] = "changed by the reader"
	if b.Status().Events[0] != "old" {
		t.Error("the reader changed the board")
	}
}

func TestEqual(t *testing.T) {
	a := sample().Links
	for name, change := range map[string]func([]Link){
		"state":   func(l []Link) { l[1].State = "up" },
		"address": func(l []Link) { l[0].Addresses = nil },
		"gateway": func(l []Link) { l[0].Gateways = nil },
		"name":    func(l []Link) { l[0].Name = "x" },
	} {
		b := sample().Links
		if !Equal(a, b) {
			t.Error("equal links differ")
		}
		change(b)
		if Equal(a, b) {
			t.Errorf("another %s is not seen", name)
		}
	}
}
