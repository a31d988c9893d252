// SPDX-License-Identifier: Apache-2.0

package evdev

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
)

// Events as read from QEMU's ACPI power button.
const (
	press   = "5b1a216700000000c3d40b0000000000" + "01007400" + "01000000"
	report  = "5b1a216700000000c3d40b0000000000" + "00000000" + "00000000"
	release = "5b1a216700000000c3d40b0000000000" + "01007400" + "00000000"
	sleep   = "5b1a216700000000c3d40b0000000000" + "01008e00" + "01000000"
)

func TestWatchPowerCountsPresses(t *testing.T) {
	tests := []struct {
		name    string
		events  []string
		presses int
		err     error
	}{
		{"press and release", []string{press, report, release, report}, 1, io.EOF},
		{"another key", []string{sleep, report}, 0, io.EOF},
		{"two presses", []string{press, release, press}, 2, io.EOF},
		{"cut short", []string{press, report[:20]}, 1, io.ErrUnexpectedEOF},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			data, err := hex.DecodeString(strings.Join(tc.events, ""))
			if err != nil {
				t.Fatal(err)
			}
			presses := 0
			err = WatchPower(bytes.NewReader(data), func() { presses++ })
			if presses != tc.presses || !errors.Is(err, tc.err) {
				t.Errorf("%d presses, %v", presses, err)
			}
		})
	}
}

func TestHasPower(t *testing.T) {
	tests := []struct {
		name, capabilities string
		want               bool
	}{
		{"ACPI button", "10000000000000 0", true},
		{"keyboard without power key", "402000000 3803078f800d001 feefffdfffefffff fffffffffffffffe", false},
		{"PS/2 keyboard", "402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe", true},
		{"mouse", "1f0000 0 0 0 0", false},
		{"nothing", "", false},
		{"one word", "10000000000000", false},
		{"not a number", "x 0", false},
	}
	for _, tc := range tests {
		if got := HasPower(tc.capabilities); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

func FuzzHasPower(f *testing.F) {
	f.Add("10000000000000 0")
	f.Fuzz(func(t *testing.T, text string) {
		if HasPower(text) && len(strings.Fields(text)) < 2 {
			t.Fatalf("%q", text)
		}
	})
}
