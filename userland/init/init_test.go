// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"

	"dodeka/userland/internal/metastore"
	"dodeka/userland/internal/phase"
	"dodeka/userland/internal/power"
	"dodeka/userland/internal/screen"
	"dodeka/userland/internal/sequence"
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

func TestTheCodeOfMaintenanceStaysOutOfTheKernelLog(t *testing.T) {
	sys, dev := t.TempDir(), t.TempDir()
	active := filepath.Join(sys, "class/tty/console/active")
	err := errors.Join(os.MkdirAll(filepath.Dir(active), 0o755), os.WriteFile(active, []byte("ttyS0"), 0o600),
		os.WriteFile(filepath.Join(dev, "ttyS0"), nil, 0o600), os.WriteFile(filepath.Join(dev, "kmsg"), nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	s := newSystem()
	s.out.Open(sys, dev)
	s.tellCode("ABCD-1234")
	if text, err := os.ReadFile(filepath.Join(dev, "ttyS0")); err != nil || !strings.Contains(string(text), "ABCD-1234") {
		t.Errorf("the console shows %q, %v", text, err)
	}
	if text, err := os.ReadFile(filepath.Join(dev, "kmsg")); err != nil || strings.Contains(string(text), "ABCD") {
		t.Errorf("the kernel log holds %q, %v", text, err)
	}
}

func TestAskKeepsTheFirstRequest(t *testing.T) {
	s := newSystem()
	s.ask(sequence.Reboot)
	s.ask(sequence.Shutdown)
	if got := <-s.desk.Requests(); got.Kind != sequence.Reboot {
		t.Errorf("got %v", got.Kind)
	}
}

func TestResetIsRefusedWhereNothingIsInstalled(t *testing.T) {
	s := newSystem()
	err := s.desk.Reset(t.Context(), "", &machine.ResetRequest{})
	if err == nil || !strings.Contains(err.Error(), "not installed") {
		t.Errorf("got %v", err)
	}
}

func TestResetIsAskedForWhileBootLooksForTheSystemDisk(t *testing.T) {
	s := newSystem()
	asked := make(chan struct{})
	var both sync.WaitGroup
	both.Go(func() {
		defer close(asked)
		for range 100 {
			_ = s.checkReset(&machine.ResetRequest{})
			s.openedMeta()
		}
	})
	both.Go(func() {
		for looking := true; looking; {
			s.storage.found("/dev/vda", &metastore.Store{})
			select {
			case <-asked:
				looking = false
			default:
			}
		}
	})
	both.Wait()
	if r := s.wipeRequest(&machine.ResetRequest{}); r.SystemDisk != "/dev/vda" || r.Meta == nil || !r.WholeDisk {
		t.Errorf("got %+v", r)
	}
}

func TestActionOfAReset(t *testing.T) {
	for _, reboot := range []bool{true, false} {
		e := &ending{request: sequence.Request{Kind: sequence.Reset, Reset: &machine.ResetRequest{Reboot: reboot}}}
		if got := e.action() == power.Reboot; got != reboot {
			t.Errorf("reboot %v: got %v", reboot, e.action())
		}
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
