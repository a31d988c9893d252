// SPDX-License-Identifier: Apache-2.0

package uevent

import "testing"

func TestParse(t *testing.T) {
	tests := []struct {
		name, message, action, subsystem string
		ok                               bool
	}{
		{"a device", "add@/devices/x\x00ACTION=add\x00SUBSYSTEM=block\x00DEVNAME=sda\x00", "add", "block", true},
		{"no fields", "remove@/devices/x\x00", "remove", "", true},
		{"sent by a daemon", "libudev\x00\xfe\xed\xca\xfe", "", "", false},
		{"no action", "@/devices/x\x00", "", "", false},
		{"empty", "", "", "", false},
	}
	for _, tc := range tests {
		event, ok := Parse([]byte(tc.message))
		if ok != tc.ok || event.Action != tc.action || event.Values["SUBSYSTEM"] != tc.subsystem {
			t.Errorf("%s: got %+v %v", tc.name, event, ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("add@/devices/x\x00A=b\x00"))
	f.Fuzz(func(t *testing.T, message []byte) {
		if event, ok := Parse(message); ok && event.Action == "" {
			t.Fatal("an event without action")
		}
	})
}
