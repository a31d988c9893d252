// SPDX-License-Identifier: Apache-2.0

package failure

import (
	"testing"

	"dodeka/userland/internal/cmdline"
	"dodeka/userland/internal/power"
)

func TestNextLineFollowsTheCommandLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "dodeka: next reboot in 60 s",
		"panic=5":              "dodeka: next reboot in 5 s",
		"dodeka.exit=poweroff": "dodeka: next power off",
	} {
		if got := NextLine(power.After(cmdline.RecoveryOf(text))); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
