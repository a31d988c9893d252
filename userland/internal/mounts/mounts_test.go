// SPDX-License-Identifier: Apache-2.0

package mounts

import (
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	got := Parse("proc /proc proc rw,nosuid 0 0\n/dev/sr0 /run/a\\040b\\134c iso9660 ro 0 0\nbroken\n")
	want := []Entry{{Target: "/proc", Kind: "proc"}, {Target: `/run/a b\c`, Kind: "iso9660"}}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}
