// SPDX-License-Identifier: Apache-2.0

package phase

import (
	"errors"
	"slices"
	"testing"
	"time"
)

type trail struct{ ran []string }

func step(name string, err error) Phase[trail] {
	return Phase[trail]{name, func(s *trail) error { s.ran = append(s.ran, name); return err }}
}

func TestRunGoesInOrderAndStopsAtTheFirstFailure(t *testing.T) {
	reason := errors.New("no such disk")
	explode := Phase[trail]{"explode", func(*trail) error { panic("out of memory") }}
	tests := []struct {
		name   string
		phases []Phase[trail]
		ran    []string
		failed string
	}{
		{"all pass", []Phase[trail]{step("a", nil), step("b", nil)}, []string{"a", "b"}, ""},
		{"second fails", []Phase[trail]{step("a", nil), step("b", reason), step("c", nil)}, []string{"a", "b"},
			"dodeka: failed phase=b reason=no such disk"},
		{"a panic is a failure", []Phase[trail]{step("a", nil), explode, step("c", nil)}, []string{"a"},
			"dodeka: failed phase=explode reason=BUG: panic: out of memory"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			var state trail
			var announced []string
			failure := Run(tc.phases, &state, func(name string) { announced = append(announced, name) })
			if !slices.Equal(state.ran, tc.ran) {
				t.Errorf("ran %v, want %v", state.ran, tc.ran)
			}
			got := ""
			if failure != nil {
				got = FailedLine(failure)
			}
			if got != tc.failed {
				t.Errorf("got %q, want %q", got, tc.failed)
			}
			if len(announced) < len(tc.ran) {
				t.Errorf("announced only %v", announced)
			}
		})
	}
}

func TestLineShowsMilliseconds(t *testing.T) {
	if got := Line("verity", 3*time.Second+7*time.Millisecond); got != "dodeka: phase verity t=3.007" {
		t.Errorf("got %q", got)
	}
}
