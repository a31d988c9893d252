// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	auto     = machine.ApplyConfigurationRequest_AUTO
	noReboot = machine.ApplyConfigurationRequest_NO_REBOOT
	staged   = machine.ApplyConfigurationRequest_STAGED
	try      = machine.ApplyConfigurationRequest_TRY
	reboot   = machine.ApplyConfigurationRequest_REBOOT
)

func host(name string) []byte { return whole("network: {hostname: " + name + "}") }

// newType changes a field that needs a reboot.
func newType(name string) []byte {
	return []byte(strings.Replace(string(host(name)), "diskQuotaSupport: true", "diskQuotaSupport: false", 1))
}

// bench is a manager with what surrounds it. Situations: "open" is maintenance mode, "ram" is configured without
// STATE, "disk" is configured with STATE.
type bench struct {
	*Manager
	t   *testing.T
	dir string
}

func newBench(t *testing.T, situation string) *bench {
	t.Helper()
	b := &bench{t: t}
	options := Options{State: newState()}
	if situation == "disk" {
		b.dir = t.TempDir()
		saved(t, b.dir, "base")
		options.Dir = b.dir
	}
	if situation == "ram" {
		options.Sources = []Source{static("url", string(host("base")))}
	}
	b.Manager = New(options)
	if done, err := b.Acquire(context.Background()); err != nil || done != (situation != "open") {
		t.Fatal(done, err)
	}
	return b
}

// holds checks the host names in force and on STATE.
func (b *bench) holds(active, kept string) {
	b.t.Helper()
	if got := hostname(b.Active()); got != active {
		b.t.Errorf("active is %q, want %q", got, active)
	}
	if text := textOf(b.t, b.options.State, "v1alpha1"); active != "" && !strings.Contains(text, "hostname: "+active+"}") {
		b.t.Errorf("the active resource is not %q", active)
	}
	if b.dir == "" {
		return
	}
	provider, complaints := store{dir: b.dir}.load()
	if got := hostname(provider); got != kept || complaints != nil {
		b.t.Errorf("STATE has %q, want %q, %v", got, kept, complaints)
	}
	if text := textOf(b.t, b.options.State, "persistent"); !strings.Contains(text, "hostname: "+kept+"}") {
		b.t.Errorf("the persistent resource is not %q", kept)
	}
}

func TestApplyModes(t *testing.T) {
	tests := []struct {
		name, situation string
		data            []byte
		mode            machine.ApplyConfigurationRequest_Mode
		want            machine.ApplyConfigurationRequest_Mode
		active, kept    string
		details         string
		needsReboot     bool
	}{
		{"first configuration", "open", host("new"), auto, noReboot, "new", "", "kept in memory", false},
		{"first configuration with reboot", "open", host("new"), reboot, noReboot, "new", "", "without a reboot", false},
		{"auto, live", "disk", host("new"), auto, noReboot, "new", "new", "Applied without a reboot.", false},
		{"auto, reboot", "disk", newType("new"), auto, reboot, "base", "new", "needed for machine.features.diskQuotaSupport", true},
		{"no reboot", "disk", host("new"), noReboot, noReboot, "new", "new", "without a reboot", false},
		{"reboot", "disk", host("new"), reboot, reboot, "base", "new", "Applied with a reboot.", true},
		{"staged", "disk", newType("new"), staged, staged, "base", "new", "next reboot", false},
		{"try", "disk", host("new"), try, try, "new", "base", "returns by itself in 1m0s", false},
		{"auto without STATE", "ram", host("new"), auto, noReboot, "new", "", "kept in memory", false},
		{"try without STATE", "ram", host("new"), try, try, "new", "", "returns by itself", false},
	}
	for _, tc := range tests {
		for _, dry := range []bool{true, false} {
			t.Run(tc.name+map[bool]string{true: ", dry"}[dry], func(t *testing.T) {
				b := newBench(t, tc.situation)
				outcome, err := b.Apply(context.Background(), Request{Data: tc.data, Mode: tc.mode, DryRun: dry})
				if err != nil {
					t.Fatal(err)
				}
				if outcome.Mode != tc.want || !strings.Contains(outcome.ModeDetails, tc.details) || len(outcome.Warnings) == 0 {
					t.Errorf("got %+v", outcome)
				}
				if !strings.Contains(outcome.Diff, "+++ applied\n") || !strings.Contains(outcome.Diff, "hostname: new") {
					t.Errorf("diff:\n%s", outcome.Diff)
				}
				if !dry {
					if outcome.NeedsReboot != tc.needsReboot {
						t.Errorf("needs reboot %v", outcome.NeedsReboot)
					}
					b.holds(tc.active, tc.kept)
					return
				}
				if outcome.NeedsReboot || !strings.Contains(outcome.ModeDetails, outcome.Diff) {
					t.Errorf("a dry run: %+v", outcome)
				}
				if tc.situation == "open" {
					b.holds("", "")
				} else {
					b.holds("base", "base")
				}
			})
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	tests := []struct {
		name, situation string
		request         Request
		want            string
		code            codes.Code
	}{
		{"broken", "disk", Request{Data: []byte("machine: ["), Mode: auto}, "yaml", codes.InvalidArgument},
		{"unknown field", "disk", Request{Data: whole("foo: 1"), Mode: auto}, "machine.foo: unknown field", codes.InvalidArgument},
		{"empty", "disk", Request{Mode: auto}, "is empty", codes.InvalidArgument},
		{"only a part", "disk", Request{Data: []byte(link), Mode: auto}, "machine: missing", codes.InvalidArgument},
		{"invalid", "disk", Request{Data: []byte("machine: {type: foo}"), Mode: auto}, "machine.type: expected", codes.InvalidArgument},
		{"no reboot", "disk", Request{Data: newType("new"), Mode: noReboot}, "machine.features.diskQuotaSupport: changes at a reboot only", codes.InvalidArgument},
		{"try", "disk", Request{Data: newType("new"), Mode: try}, "changes at a reboot only", codes.InvalidArgument},
		{"try for too long", "disk", Request{Data: host("new"), Mode: try, TryTimeout: 25 * time.Hour}, "tryModeTimeout: found 25h0m0s", codes.InvalidArgument},
		{"try into the past", "disk", Request{Data: host("new"), Mode: try, TryTimeout: -1}, "tryModeTimeout", codes.InvalidArgument},
		{"mode of the future", "disk", Request{Data: host("new"), Mode: 99}, "mode: 99 is not a mode", codes.InvalidArgument},
		{"reboot without STATE", "ram", Request{Data: host("new"), Mode: reboot}, "no STATE partition", codes.FailedPrecondition},
		{"staged without STATE", "ram", Request{Data: host("new"), Mode: staged}, "no STATE partition", codes.FailedPrecondition},
		{"auto that needs a reboot without STATE", "ram", Request{Data: newType("new"), Mode: auto}, "no STATE partition", codes.FailedPrecondition},
		{"first one as a try", "open", Request{Data: host("new"), Mode: try}, "no configuration to return to", codes.FailedPrecondition},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, tc.situation)
			_, err := b.Apply(context.Background(), tc.request)
			if err == nil || !strings.Contains(err.Error(), tc.want) || status.Code(err) != tc.code {
				t.Errorf("got %v", err)
			}
			if tc.situation == "open" {
				b.holds("", "")
			} else {
				b.holds("base", "base")
			}
		})
	}
}

func TestApplyNeedsAnInstallDiskOnMetal(t *testing.T) {
	m := New(Options{State: newState(), Mode: Mode{Platform: "metal", Installed: func() bool { return false }}})
	if _, err := m.Apply(context.Background(), Request{Data: host("a"), Mode: auto}); err == nil || !strings.Contains(err.Error(), "machine.install.disk") {
		t.Errorf("got %v", err)
	}
}

func TestDocumentsCollectInMaintenanceMode(t *testing.T) {
	b := newBench(t, "open")
	if _, err := b.Apply(context.Background(), Request{Data: []byte(link), Mode: auto}); err != nil || b.Complete() {
		t.Fatalf("%v, complete %v", err, b.Complete())
	}
	if _, err := b.Apply(context.Background(), Request{Data: host("new"), Mode: auto}); err != nil || !b.Complete() {
		t.Fatalf("%v, complete %v", err, b.Complete())
	}
	if text := textOf(t, b.options.State, "v1alpha1"); !strings.Contains(text, "mtu: 1400") || !strings.Contains(text, "hostname: new") {
		t.Errorf("active is %s", text)
	}
}

func TestApplyAfterARebootIsRefused(t *testing.T) {
	b := newBench(t, "disk")
	if _, err := b.Apply(context.Background(), Request{Data: host("new"), Mode: reboot}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Apply(context.Background(), Request{Data: host("newer"), Mode: auto}); kindOf(err) != Rebooting || status.Code(err) != codes.FailedPrecondition {
		t.Errorf("got %v", err)
	}
}

func TestFailedWriteLeavesEverything(t *testing.T) {
	b := newBench(t, "disk")
	b.store.step = func(name string) error {
		if name == "rename" {
			return errCut
		}
		return nil
	}
	if _, err := b.Apply(context.Background(), Request{Data: host("new"), Mode: auto}); err == nil || status.Code(err) != codes.Unknown {
		t.Errorf("got %v", err)
	}
	b.holds("base", "base")
}

func TestOneApplyAtATime(t *testing.T) {
	b := newBench(t, "disk")
	entered, leave := make(chan struct{}), make(chan struct{})
	b.store.step = func(name string) error {
		if name == "write" {
			close(entered)
			<-leave
		}
		return nil
	}
	var group sync.WaitGroup
	group.Go(func() {
		if _, err := b.Apply(context.Background(), Request{Data: host("first"), Mode: auto}); err != nil {
			t.Error(err)
		}
	})
	<-entered
	if _, err := b.Apply(context.Background(), Request{Data: host("second"), Mode: auto}); kindOf(err) != Busy {
		t.Errorf("got %v", err)
	}
	close(leave)
	group.Wait()
	b.holds("first", "first")
}

func TestCallerThatGoesAwayDoesNotLeaveHalfAChange(t *testing.T) {
	b := newBench(t, "disk")
	ctx, cancel := context.WithCancel(context.Background())
	b.store.step = func(name string) error {
		if name == "rename" {
			cancel()
		}
		return nil
	}
	if _, err := b.Apply(ctx, Request{Data: host("new"), Mode: auto}); err != nil {
		t.Fatal(err)
	}
	b.holds("new", "new")
}

func TestFilesOnStateAreForRootOnly(t *testing.T) {
	b := newBench(t, "disk")
	if _, err := b.Apply(context.Background(), Request{Data: host("new"), Mode: auto}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(b.dir)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, entry := range entries {
		if info, err := os.Stat(filepath.Join(b.dir, entry.Name())); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", entry.Name(), info.Mode(), err)
		}
	}
}
