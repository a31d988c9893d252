// SPDX-License-Identifier: Apache-2.0

package multicall

import (
	"bytes"
	"testing"
)

func TestPick(t *testing.T) {
	var ran string
	programs := map[string]func(){
		"bridge":     func() { ran = "bridge" },
		"host-local": func() { ran = "host-local" },
	}
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"a link of a program's name", []string{"/opt/cni/bin/bridge"}, "bridge"},
		{"a name alone", []string{"host-local"}, "host-local"},
		{"arguments do not matter", []string{"bridge", "host-local"}, "bridge"},
		{"another name", []string{"/usr/bin/cni"}, ""},
		{"a name with a suffix", []string{"bridge.old"}, ""},
		{"no name", nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			ran = ""
			var out bytes.Buffer
			program := pick(programs, test.args, &out)
			if program != nil {
				program()
			}
			if ran != test.want {
				t.Errorf("ran %q, want %q", ran, test.want)
			}
			if (test.want == "") != bytes.Contains(out.Bytes(), []byte("expected one of bridge, host-local")) {
				t.Errorf("printed %q", out.String())
			}
		})
	}
}
