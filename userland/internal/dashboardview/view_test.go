// SPDX-License-Identifier: Apache-2.0

package dashboardview

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dodeka/userland/internal/golden"
	"dodeka/userland/internal/screen"
)

func sample() View {
	return View{
		Name: "Dodeka", Version: "1.2.3", Platform: "metal", Arch: "amd64", Hostname: "node-1", Stage: "running", Ready: true,
		Phase: "ready", Uptime: 26*time.Hour + 3*time.Minute + 4*time.Second, MemoryUsed: 81 << 20, MemoryTotal: 2048 << 20,
		Links: []screen.Link{
			{Name: "eth0", State: "up", Addresses: []string{"10.0.2.15/24", "fec0::5054:ff:fe12:3456/64"}, Gateways: []string{"10.0.2.2"}},
			{Name: "eth1", State: "no carrier"},
		},
		Services: []Service{{"apid", "Running", Healthy}, {"containerd", "Running", Unhealthy}, {"dashboard", "Running", Unknown},
			{"machined", "Running", Healthy}, {"trustd", "Waiting", Unknown}},
		Log: []string{"dodeka: phase ready t=6.123", "apid: serving on :50000 " + strings.Repeat("x", 80)},
	}
}

func maintenance() View {
	v := sample()
	v.Stage, v.Ready, v.Code, v.Phase = "maintenance", false, "ABCD-1234", "maintenance"
	v.Unmet = []string{"config: no machine configuration", "network: no address", "more"}
	return v
}

func crowded() View {
	v := maintenance()
	v.Problem, v.Hostname = "no answer from the API", strings.Repeat("long", 20)
	v.Links, v.Services, v.Log = nil, nil, nil
	for i := range 9 {
		v.Links = append(v.Links, screen.Link{Name: fmt.Sprint("eth", i), State: "no carrier"})
	}
	for i := range 40 {
		v.Services = append(v.Services, Service{fmt.Sprint("service", i), "Failed", Unknown})
		v.Log = append(v.Log, fmt.Sprint("line ", i))
	}
	return v
}

func TestFrame(t *testing.T) {
	for name, v := range map[string]View{"running": sample(), "maintenance": maintenance(), "crowded": crowded(), "empty": {}} {
		var b strings.Builder
		for row, one := range Frame(v) {
			if len(one.Text) != screen.Columns {
				t.Errorf("%s: row %d has %d columns", name, row+1, len(one.Text))
			}
			mark := "|"
			if one.Reverse {
				mark = "#"
			}
			b.WriteString(one.Text + mark + "\n")
		}
		golden.Equal(t, "testdata/"+name+".txt", b.String())
	}
}

// emulate is a terminal that knows what Paint sends.
func emulate(t *testing.T, rows *[screen.Rows][]byte, drawn string) {
	t.Helper()
	row, column := 0, 0
	for len(drawn) > 0 {
		if !strings.HasPrefix(drawn, "\x1b[") {
			rows[row][column] = drawn[0]
			column++
			drawn = drawn[1:]
			continue
		}
		end := strings.IndexAny(drawn, "HmJl")
		switch sequence := drawn[2 : end+1]; {
		case sequence == "2J":
			for i := range rows {
				rows[i] = []byte(screen.Fit(""))
			}
		case strings.HasSuffix(sequence, "H"):
			if n, err := fmt.Sscanf(sequence, "%d;%dH", &row, &column); n != 2 {
				t.Fatal(sequence, err)
			}
			row, column = row-1, column-1
		case sequence != "0m" && sequence != "7m" && sequence != "?25l":
			t.Fatalf("unknown sequence %q", sequence)
		}
		drawn = drawn[end+1:]
	}
}

func TestPaintSendsOnlyWhatChanged(t *testing.T) {
	var p Painter
	var rows [screen.Rows][]byte
	hour := sample()
	hour.Uptime += time.Second
	for i, step := range []struct {
		view View
		most int // bytes
	}{{sample(), 2200}, {sample(), 0}, {hour, 10}, {maintenance(), 2200}, {crowded(), 2200}, {View{}, 2200}, {sample(), 2200}} {
		drawn := string(p.Paint(Frame(step.view)))
		if len(drawn) > step.most {
			t.Errorf("step %d: %d bytes, want at most %d", i, len(drawn), step.most)
		}
		emulate(t, &rows, drawn)
		for row, want := range Frame(step.view) {
			if string(rows[row]) != want.Text {
				t.Errorf("step %d: row %d shows %q", i, row+1, rows[row])
			}
		}
	}
	p.Forget()
	if drawn := string(p.Paint(Frame(sample()))); !strings.HasPrefix(drawn, "\x1b[0m\x1b[2J") {
		t.Errorf("drew %q", drawn)
	}
}

func TestTextCannotSteerTheTerminal(t *testing.T) {
	v := maintenance()
	v.Hostname, v.Log, v.Code = "\x1b[2Jx\n", []string{"\x1b]0;title\x07\u00e9"}, "\x1b[1m"
	v.Services = []Service{{"\x1b[H", "\r", Healthy}}
	var p Painter
	p.Paint(Frame(View{}))
	drawn := string(p.Paint(Frame(v)))
	for _, bad := range []string{"\x1b[2J", "\n", "\r", "\x07", "\x1b]", "\x1b[1m", "\u00e9", "\x1b[H"} {
		if strings.Contains(drawn, bad) {
			t.Errorf("drew %q", bad)
		}
	}
	for _, line := range new(Lines).Next(v) {
		if strings.ContainsAny(line, "\x1b\n\r") {
			t.Errorf("line %q", line)
		}
	}
}

func TestLinesTellOnlyWhatChanged(t *testing.T) {
	var l Lines
	steps := []View{sample(), sample(), maintenance(), sample()}
	steps[1].Uptime, steps[1].Log, steps[1].MemoryUsed = time.Hour, nil, 1
	steps[3].Links = steps[3].Links[:1]
	var b strings.Builder
	for i, v := range steps {
		fmt.Fprintf(&b, "-- step %d\n", i)
		for _, line := range l.Next(v) {
			b.WriteString(line + "\n")
		}
	}
	golden.Equal(t, "testdata/lines.txt", b.String())
}
