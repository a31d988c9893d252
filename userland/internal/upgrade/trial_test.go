// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestATrialEndsAsTheMachineDoes(t *testing.T) {
	const within, calm = 60 * time.Second, 5 * time.Second
	tests := []struct {
		name    string
		missing func(at time.Duration) string
		keeps   int // calls that fail before one succeeds
		want    string
		at      time.Duration // when it is decided, to the second
	}{
		{"well from the beginning", func(time.Duration) string { return "" }, 0, "kept", 6 * time.Second},
		{"well after a while", func(at time.Duration) string { return until(at, 20*time.Second) }, 0, "kept", 25 * time.Second},
		{"ill for a moment", func(at time.Duration) string {
			if at == 4*time.Second {
				return "ill"
			}
			return ""
		}, 0, "kept", 10 * time.Second},
		{"never well", func(time.Duration) string { return "ill" }, 0, "ill", 61 * time.Second},
		{"well too late", func(at time.Duration) string { return until(at, 70*time.Second) }, 0, "ill", 61 * time.Second},
		{"well at the last moment", func(at time.Duration) string { return until(at, 59*time.Second) }, 0, "kept", 64 * time.Second},
		{"kept at the third try", func(time.Duration) string { return "" }, 2, "kept", 8 * time.Second},
		{"never kept", func(time.Duration) string { return "" }, 1000, "no medium", 61 * time.Second},
	}
	for _, tc := range tests {
		synctest.Test(t, func(t *testing.T) {
			start, got := time.Now(), ""
			Trial{
				Missing: func() string { return tc.missing(time.Since(start)) },
				Keep: func() error {
					if tc.keeps--; tc.keeps >= 0 {
						return errors.New("no medium")
					}
					got = "kept"
					return nil
				},
				GiveUp: func(reason string) { got = reason },
				Within: within, Calm: calm, Step: time.Second,
			}.Run(t.Context())
			if at := time.Since(start); got != tc.want || at != tc.at {
				t.Errorf("%s: %q after %s, expected %q after %s", tc.name, got, at, tc.want, tc.at)
			}
		})
	}
}

func until(at, end time.Duration) string {
	if at < end {
		return "ill"
	}
	return ""
}

func TestATrialThatIsEndedDecidesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		decided := func(what string) { t.Error(what) }
		Trial{
			Missing: func() string { return "" }, GiveUp: decided, Within: time.Minute, Calm: 5 * time.Second, Step: time.Second,
			Keep: func() error {
				decided("kept")
				return nil
			},
		}.Run(ctx)
	})
}
