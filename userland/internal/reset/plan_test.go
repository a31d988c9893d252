// SPDX-License-Identifier: Apache-2.0

package reset

import (
	"slices"
	"testing"
)

func FuzzDecode(f *testing.F) {
	f.Add(`{"partitions":["STATE"],"disks":["/dev/sdb"],"whole":true}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := decode(text)
		if err != nil {
			return
		}
		for _, label := range p.Partitions {
			if !slices.Contains(labels, label) {
				t.Fatalf("%q would be wiped", label)
			}
		}
		encoded, err := p.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := decode(encoded)
		if err != nil || !slices.Equal(again.Partitions, p.Partitions) || !slices.Equal(again.Disks, p.Disks) || again.Whole != p.Whole {
			t.Errorf("%+v became %+v: %v", p, again, err)
		}
	})
}
