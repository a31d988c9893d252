// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"strings"
	"testing"
)

func TestParseArguments(t *testing.T) {
	tests := []struct {
		arguments string
		quiet     bool
		names     []string
		err       string
	}{
		{"-q -- fs-xfs", true, []string{"fs-xfs"}, ""},
		{"-q -b net-pf-40", true, []string{"net-pf-40"}, ""},
		{"-a br_netfilter overlay", false, []string{"br_netfilter", "overlay"}, ""},
		{"--quiet --use-blacklist -- -odd", true, []string{"-odd"}, ""},
		{"pci:v00008086d*", false, []string{"pci:v00008086d*"}, ""},
		{"", false, nil, "no module name given"},
		{"-q", true, nil, "no module name given"},
		{"-r overlay", false, nil, `option "-r" is not known`},
		{"../overlay", false, nil, "not a path"},
		{"-q /lib/modules/x.ko", true, nil, "not a path"},
		{"overlay.ko", false, nil, "not a path"},
		{"loop max_loop=8", false, nil, `module parameter "max_loop=8" is not supported`},
	}
	for _, tc := range tests {
		t.Run(tc.arguments, func(t *testing.T) {
			got, err := parseArguments(strings.Fields(tc.arguments))
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("got error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil || got.quiet != tc.quiet || !slices.Equal(got.names, tc.names) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func FuzzParseArguments(f *testing.F) {
	f.Add("-q -- alias")
	f.Fuzz(func(t *testing.T, line string) {
		r, err := parseArguments(strings.Fields(line))
		if err == nil && (len(r.names) == 0 || strings.ContainsAny(strings.Join(r.names, ""), "/\x00")) {
			t.Fatalf("accepted %q", r.names)
		}
	})
}
