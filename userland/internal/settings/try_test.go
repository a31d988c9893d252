// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
)

func TestTry(t *testing.T) {
	type step struct {
		data    []byte
		mode    machine.ApplyConfigurationRequest_Mode
		timeout time.Duration
		wait    time.Duration // after the apply
		active  string        // after the wait
		kept    string
	}
	tests := []struct {
		name  string
		steps []step
	}{
		{"returns after a minute", []step{{host("new"), try, 0, 59 * time.Second, "new", "base"}, {nil, 0, 0, 2 * time.Second, "base", "base"}}},
		{"returns after its timeout", []step{{host("new"), try, time.Hour, 61 * time.Minute, "base", "base"}}},
		{"is confirmed by an apply", []step{{host("new"), try, 0, time.Second, "new", "base"}, {host("new"), auto, 0, time.Hour, "new", "new"}}},
		{"is replaced by another try", []step{{host("one"), try, 0, 50 * time.Second, "one", "base"}, {host("two"), try, 0, 50 * time.Second, "two", "base"}, {nil, 0, 0, 11 * time.Second, "base", "base"}}},
		{"goes on after something is staged", []step{{host("new"), try, 0, time.Second, "new", "base"}, {host("next"), staged, 0, time.Second, "new", "next"}, {nil, 0, 0, time.Minute, "base", "next"}}},
		{"goes on after a refused apply", []step{{host("new"), try, 0, time.Second, "new", "base"}, {[]byte("machine: ["), auto, 0, 0, "new", "base"}, {nil, 0, 0, time.Minute, "base", "base"}}},
		{"ends with a reboot", []step{{host("new"), try, 0, time.Second, "new", "base"}, {host("next"), reboot, 0, time.Hour, "new", "next"}}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, "disk")
				for _, s := range tc.steps {
					if s.data != nil {
						_, err := b.Apply(context.Background(), Request{Data: s.data, Mode: s.mode, TryTimeout: s.timeout})
						if (err != nil) != (len(s.data) < 20) {
							t.Fatal(err)
						}
					}
					time.Sleep(s.wait)
					synctest.Wait()
					b.holds(s.active, s.kept)
				}
			})
		})
	}
}

func TestStateThatAppearsDuringATryGetsTheConfirmedOne(t *testing.T) {
	b := newBench(t, "ram")
	if _, err := b.Apply(context.Background(), Request{Data: host("new"), Mode: try}); err != nil {
		t.Fatal(err)
	}
	b.dir = t.TempDir()
	if err := b.UseStateDir(b.dir); err != nil {
		t.Fatal(err)
	}
	b.holds("new", "base")
}
