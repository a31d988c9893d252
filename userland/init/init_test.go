// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dodeka/userland/internal/lease"
	"dodeka/userland/internal/phase"
	"dodeka/userland/internal/power"
	"dodeka/userland/internal/screen"
)

func TestHostnameOf(t *testing.T) {
	for address, want := range map[string]string{
		"52:54:00:12:34:56": "dodeka-123456",
		"":                  "dodeka",
		"00:11":             "dodeka",
		"52:54:00:12:34:/x": "dodeka",
	} {
		if got := hostnameOf(address); got != want {
			t.Errorf("%q: got %q, want %q", address, got, want)
		}
	}
}

func config(domain string, resolvers ...string) lease.Config {
	c := lease.Config{Domain: domain}
	for _, r := range resolvers {
		c.Resolvers = append(c.Resolvers, netip.MustParseAddr(r))
	}
	return c
}

func TestHostFilesFollowLeases(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dodeka")
	h := newHostFiles(dir)
	steps := []struct {
		name string
		do   func() error
		want string
	}{
		{"name", func() error { return h.setHostname("node") }, ""},
		{"second interface", func() error { return h.setLease("eth1", config("b.example", "10.0.0.3", "10.0.0.1")) },
			"search b.example\nnameserver 10.0.0.3\nnameserver 10.0.0.1\n"},
		{"first interface comes first", func() error { return h.setLease("eth0", config("a.example", "10.0.0.1", "10.0.0.2")) },
			"search a.example b.example\nnameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\n"},
		{"first interface gone", func() error { return h.dropLease("eth0") },
			"search b.example\nnameserver 10.0.0.3\nnameserver 10.0.0.1\n"},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		expectFile(t, filepath.Join(dir, "resolv.conf"), step.want)
	}
	expectFile(t, filepath.Join(dir, "hostname"), "node\n")
	expectFile(t, filepath.Join(dir, "hosts"), "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n127.0.1.1 node\n")
}

func expectFile(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s: got %q (%v), want %q", filepath.Base(path), got, err, want)
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
