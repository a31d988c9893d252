// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/impl/inmem"
	"github.com/cosi-project/runtime/pkg/state/impl/namespaced"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	configresource "github.com/siderolabs/talos/pkg/machinery/resources/config"
	timeresource "github.com/siderolabs/talos/pkg/machinery/resources/time"
)

// wall is a clock that is right.
type wall struct{}

func (wall) Now() time.Time           { return time.Date(2026, time.July, 1, 0, 0, 0, 0, time.UTC) }
func (wall) Step(time.Duration) error { return errors.New("it is right") }
func (wall) Slew(time.Duration) error { return nil }

// only is a world with one time server, named "good"; the others hang.
func only(ctx context.Context, server string) (time.Duration, error) {
	if server == "good" {
		return 0, nil
	}
	<-ctx.Done()
	return 0, ctx.Err()
}

func TestTheWaitForTheTimeHasABound(t *testing.T) {
	const document = kind + "TimeSyncConfig\n"
	for name, tc := range map[string]struct {
		config string
		synced bool
		took   time.Duration
	}{
		"no configuration":          {"", false, 30 * time.Second},
		"no bound":                  {document + "ntp: {servers: [dead]}\n", false, 30 * time.Second},
		"a bound of zero":           {document + "bootTimeout: 0s\nntp: {servers: [dead]}\n", false, 30 * time.Second},
		"a bound":                   {document + "bootTimeout: 5s\nntp: {servers: [dead]}\n", false, 5 * time.Second},
		"a bound alone":             {document + "bootTimeout: 5s\n", false, 5 * time.Second},
		"a bound of the older form": {"version: v1alpha1\nmachine: {time: {bootTimeout: 5s, servers: [dead]}}\n", false, 5 * time.Second},
		"disabled":                  {document + "enabled: false\n", true, 0},
		"an answer":                 {document + "ntp: {servers: [good]}\n", true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { waitForTime(t, tc.config, tc.synced, tc.took) })
		})
	}
}

func waitForTime(t *testing.T, text string, synced bool, took time.Duration) {
	t.Helper()
	st := state.WrapCore(namespaced.NewState(inmem.Build))
	if text != "" {
		provider, err := configloader.NewFromBytes([]byte(text))
		if err == nil {
			err = st.Create(t.Context(), configresource.NewMachineConfig(provider))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	m := New(Options{State: st, Backend: newFake("a"), Clock: wall{}, Query: only})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = m.Run(ctx) }()
	time.Sleep(time.Second)
	began := time.Now()
	if got := m.WaitTime(context.Background()); got != synced || time.Since(began) != took {
		t.Errorf("got %v after %s, want %v after %s", got, time.Since(began), synced, took)
	}
	status, err := safe.StateGetByID[*timeresource.Status](ctx, st, timeresource.StatusID)
	if shown := err == nil && status.TypedSpec().Synced; shown != synced {
		t.Errorf("the state says %v (%v)", status, err)
	}
	cancel()
	<-done
	synctest.Wait()
}
