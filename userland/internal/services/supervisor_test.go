// SPDX-License-Identifier: Apache-2.0

package services

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"github.com/siderolabs/talos/pkg/machinery/resources/v1alpha1"
)

func TestDependenciesStartAndStopInOrder(t *testing.T) {
	healthy := atomic.Bool{}
	check := func(context.Context) error {
		if healthy.Load() {
			return nil
		}
		return errors.New("not yet")
	}
	fast := &Health{Check: check, Delay: time.Millisecond, Period: time.Millisecond}
	b := newBench(t,
		Definition{ID: "c", DependsOn: []string{"b", "a"}, Run: untilDone},
		Definition{ID: "b", DependsOn: []string{"a"}, Run: untilDone, Health: fast},
		Definition{ID: "a", Run: untilDone})
	b.start(t, "c")
	b.journal.await(t, `c WAITING Waiting for service "b" to be "up", service "a" to be "up"`, 1)
	b.start(t, "b")
	b.journal.await(t, `b WAITING Waiting for service "a" to be "up"`, 1)
	b.start(t, "a")
	b.journal.await(t, "b RUNNING Health check failed: not yet", 1)
	b.journal.await(t, `c WAITING Waiting for service "b" to be "up"`, 1)
	healthy.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.WaitUp(ctx, "a", "b", "c"); err != nil {
		t.Fatal(err)
	}
	if err := b.StopAll(ctx); err != nil {
		t.Fatal(err)
	}
	var finished []string
	for _, e := range b.journal.all() {
		if strings.Contains(e, " FINISHED ") {
			finished = append(finished, e[:1])
		}
	}
	if !slices.Equal(finished, []string{"c", "b", "a"}) {
		t.Errorf("finished %v", finished)
	}
	if err := b.Start(ctx, "a"); !errors.Is(err, ErrEnding) {
		t.Errorf("start while ending: %v", err)
	}
}

func TestConditionsSkipsAndPanics(t *testing.T) {
	b := newBench(t,
		Definition{ID: "skip", Restart: Always, Run: untilDone, Condition: func(context.Context) error { return ErrSkip }},
		Definition{ID: "after", Restart: Once, DependsOn: []string{"skip"}, Run: func(context.Context, io.Writer) error { panic("defect") }},
		Definition{ID: "held", Run: untilDone, Waiting: "the network", Condition: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}},
		Definition{ID: "prepare", Restart: Once, Run: untilDone, Prepare: func(_ context.Context, tell func(string)) error {
			tell("Looking for a disk")
			return errors.New("no disk")
		}})
	b.start(t, "after", "held", "skip", "prepare")
	b.journal.await(t, "skip SKIPPED", 1)
	b.journal.await(t, "after FAILED Failed: BUG: panic: defect", 1)
	b.journal.await(t, "held WAITING Waiting for the network", 1)
	b.journal.await(t, "prepare PREPARING Looking for a disk", 1)
	b.journal.await(t, "prepare FAILED Failed: no disk", 1)
	if err := b.Stop(context.Background(), "held"); err != nil {
		t.Error(err)
	}
	b.journal.await(t, "held FINISHED", 1)
}

func TestUnhealthyServiceIsRestarted(t *testing.T) {
	b := newBench(t, Definition{ID: "x", Run: untilDone, Health: &Health{
		Check: func(context.Context) error { return errors.New("hangs") },
		Delay: time.Millisecond, Period: time.Millisecond, RestartAfter: 3,
	}})
	b.start(t, "x")
	b.journal.await(t, "x WAITING Failed: unhealthy 3 times in a row: hangs, starting again in ", 2)
}

func TestFunctionThatDoesNotEndFails(t *testing.T) {
	release := make(chan struct{})
	b := newBench(t, Definition{ID: "x", StopAfter: 10 * time.Millisecond, Run: func(context.Context, io.Writer) error {
		<-release
		return nil
	}})
	b.start(t, "x")
	b.journal.await(t, "x RUNNING", 1)
	if err := b.Stop(context.Background(), "x"); err != nil {
		t.Error(err)
	}
	b.journal.await(t, "x FAILED Failed: did not end when asked to within 10ms", 1)
	close(release)
}

func TestResourcesAndList(t *testing.T) {
	ctx := context.Background()
	b := newBench(t,
		Definition{ID: "process", Command: command("sleep"), Operable: true,
			Health: &Health{Check: func(context.Context) error { return nil }, Delay: time.Millisecond}},
		Definition{ID: "function", Run: untilDone})
	if got := b.List()[1]; got.Id != "process" || got.State != "Initialized" || !got.Health.Unknown {
		t.Errorf("before: %v", got)
	}
	b.start(t, "process", "function")
	b.journal.await(t, "process RUNNING Health check successful", 1)
	if err := b.WaitUp(ctx, "process"); err != nil {
		t.Error(err)
	}
	service, err := safe.StateWatchFor[*v1alpha1.Service](ctx, b.state, v1alpha1.NewService("process").Metadata(),
		state.WithCondition(func(r resource.Resource) (bool, error) { return r.(*v1alpha1.Service).TypedSpec().Healthy, nil }))
	if err != nil || !service.TypedSpec().Running || service.TypedSpec().Unknown {
		t.Errorf("resource %v, %v", service, err)
	}
	pid, err := safe.StateGetByID[*runtime.ServicePID](ctx, b.state, "process")
	if err != nil || pid.TypedSpec().PID <= 0 {
		t.Errorf("pid %v, %v", pid, err)
	}
	info := b.List()[1]
	if info.State != "Running" || !info.Health.Healthy || len(info.Events.Events) != 4 || info.Events.Events[0].State != "Starting" {
		t.Errorf("running: %v", info)
	}
	if err := b.Stop(ctx, "process"); err != nil {
		t.Error(err)
	}
	if _, err := safe.StateGetByID[*v1alpha1.Service](ctx, b.state, "process"); !state.IsNotFoundError(err) {
		t.Errorf("the resource is still there: %v", err)
	}
	if _, err := safe.StateGetByID[*runtime.ServicePID](ctx, b.state, "process"); !state.IsNotFoundError(err) {
		t.Errorf("the process id is still there: %v", err)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	b := newBench(t, Definition{ID: "x", Run: func(context.Context, io.Writer) error { return nil }})
	b.start(t, "x")
	b.journal.await(t, "x PREPARING", 40)
	if n := len(b.List()[0].Events.Events); n != maxEvents {
		t.Errorf("%d events", n)
	}
}

func TestRefusals(t *testing.T) {
	b := newBench(t, Definition{ID: "a", DependsOn: []string{"b"}, Run: untilDone}, Definition{ID: "free", Run: untilDone, Operable: true})
	for _, tc := range []struct {
		name string
		d    Definition
		want string
	}{
		{"id", Definition{ID: "../x", Run: untilDone}, "log id is not valid"},
		{"neither", Definition{ID: "x"}, "expected either a command or a function"},
		{"both", Definition{ID: "x", Run: untilDone, Command: command("fail")}, "expected either a command or a function"},
		{"twice", Definition{ID: "a", Run: untilDone}, "exists already"},
		{"circle", Definition{ID: "b", DependsOn: []string{"a"}, Run: untilDone}, "depends on itself"},
	} {
		if err := b.Add(tc.d); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	ctx := context.Background()
	for _, err := range []error{b.Start(ctx, "x"), b.Stop(ctx, "x"), b.Restart(ctx, "x"), b.Operable("x"), b.Replace(Definition{ID: "x", Run: untilDone})} {
		if !errors.Is(err, ErrUnknown) {
			t.Error(err)
		}
	}
	if err := b.Operable("a"); !errors.Is(err, ErrNotOperable) {
		t.Error(err)
	}
	if err := b.Operable("free"); err != nil {
		t.Error(err)
	}
}

func TestTable(t *testing.T) {
	b := newBench(t)
	if err := b.Add(append(Table(Machine{State: b.state, Screen: "/dev/tty0", Lines: []string{"/dev/ttyS0"}, CodeFile: "/run/code"}), KubeletOf([]string{"-x"}))...); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, info := range b.List() {
		ids = append(ids, info.Id)
	}
	if got := strings.Join(ids, " "); got != "apid containerd dashboard kubelet machined trustd" {
		t.Error(got)
	}
	d := b.units[Dashboard].current().Command
	if got := strings.Join(d.Args, " "); got != "-screen fd:3 -lines fd:4 -code /run/code" || len(d.Terminals) != 2 {
		t.Errorf("dashboard %q %q", got, d.Terminals)
	}
	for _, one := range Table(Machine{State: b.state}) {
		if one.ID == Kubelet {
			t.Error("a kubelet without arguments")
		}
		if c := one.Command; c.Path != "" && c.UID == 0 && !c.Privileged {
			t.Errorf("%s is root for nothing", one.ID)
		}
	}
}

func TestADefectInALifeFailsThatServiceOnly(t *testing.T) {
	b := newBench(t)
	if err := b.Add(Definition{ID: "x", Command: command("hello")}); err != nil {
		t.Fatal(err)
	}
	b.Supervisor.options.Reaper = nil // what starts the process panics
	b.start(t, "x")
	b.journal.await(t, "x FAILED Failed: BUG: panic: ", 1)
}
