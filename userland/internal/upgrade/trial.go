// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"context"
	"time"
)

// Trial decides about a version that the machine runs for the first time.
type Trial struct {
	Missing func() string       // what the machine lacks to be well; nothing when it is
	Keep    func() error        // makes the version the one that boots; tried again after an error
	GiveUp  func(reason string) // called when the machine is not well in time
	Within  time.Duration
	Calm    time.Duration // how long the machine must have been well
	Step    time.Duration // between looks
}

// Run returns when it is decided, or when ctx ends: then nothing is.
func (t Trial) Run(ctx context.Context) {
	deadline := time.Now().Add(t.Within)
	var well time.Time // since when
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(t.Step):
		}
		reason, now := t.Missing(), time.Now()
		switch {
		case reason != "":
			well = time.Time{}
		case well.IsZero():
			well = now
		case now.Sub(well) >= t.Calm:
			err := t.Keep()
			if err == nil {
				return
			}
			reason = err.Error()
		}
		if reason != "" && now.After(deadline) {
			t.GiveUp(reason)
			return
		}
	}
}
