// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"errors"
	"fmt"
	"testing"
)

func TestRun(t *testing.T) {
	reason := errors.New("no such disk")
	var missing map[string]int
	for name, tc := range map[string]struct {
		f    func() error
		want string
	}{
		"success":              {func() error { return nil }, "<nil>"},
		"error":                {func() error { return reason }, "no such disk"},
		"panic":                {func() error { panic("why") }, "BUG: panic: why"},
		"panic of the runtime": {func() error { missing["x"] = 1; return nil }, "BUG: panic: assignment to entry in nil map"},
	} {
		if got := fmt.Sprint(Run(tc.f)); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}
