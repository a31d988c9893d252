// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"dodeka/userland/internal/phase"
	"dodeka/userland/internal/power"
	"dodeka/userland/internal/screen"
)

func TestPredictableNames(t *testing.T) {
	for text, want := range map[string]bool{"": true, "quiet net.ifnames=0": false, "net.ifnames=1": true, "xnet.ifnames=0": true} {
		if got := predictableNames(text); got != want {
			t.Errorf("%q: got %v", text, got)
		}
	}
}

func TestGuardTurnsAPanicIntoAFailure(t *testing.T) {
	s := &system{broken: make(chan *phase.Failure, 1)}
	for range 2 { // the second finds the channel full and must not block
		s.guard("network", func() { panic("nil map") })
	}
	select {
	case f := <-s.broken:
		if got := phase.FailedLine(f); got != "dodeka: failed phase=network reason=BUG: panic: nil map" {
			t.Errorf("got %q", got)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("no failure was reported")
	}
}

func TestAskKeepsTheFirstRequest(t *testing.T) {
	s := &system{end: make(chan power.Action, 1)}
	s.ask(power.Reboot)
	s.ask(power.Off)
	if got := <-s.end; got != power.Reboot {
		t.Errorf("got %v", got)
	}
}

func TestReapCollectsEveryChild(t *testing.T) {
	for range 3 {
		if err := exec.Command(os.Args[0], "-test.run=^$").Start(); err != nil {
			t.Fatal(err)
		}
	}
	count := 0
	for deadline := time.Now().Add(20 * time.Second); count < 3 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		count += reap()
	}
	if count != 3 || !waitProcesses(time.Second) {
		t.Errorf("reaped %d", count)
	}
}

func TestRequestRefusesOtherNames(t *testing.T) {
	if err := request("sh"); err == nil || !strings.Contains(err.Error(), "poweroff, reboot or shutdown") {
		t.Errorf("got %v", err)
	}
}

func TestSameLinesIgnoresTheClock(t *testing.T) {
	a := screen.Status{Hostname: "node", Phase: "ready", Uptime: time.Second}
	b := a
	b.Uptime, b.Events = time.Hour, []string{"x"}
	if !sameLines(a, b) {
		t.Error("the clock counts")
	}
	b.Links = []screen.Link{{Name: "eth0"}}
	if sameLines(a, b) {
		t.Error("a new link does not count")
	}
}
