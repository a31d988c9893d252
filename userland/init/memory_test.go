// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestLimitReserveLeavesAHundredth(t *testing.T) {
	for _, tc := range []struct {
		name                    string
		totalKB, chosenKB, want uint64
	}{
		{"a small machine, where huge pages would take 5 %", 1_000_000, 45_056, 10_000},
		{"a large one, where they take less", 16_000_000, 67_584, 67_584},
		{"a kernel without huge pages", 1_000_000, 4_000, 4_000},
	} {
		proc := t.TempDir()
		setting := filepath.Join(proc, "sys/vm/min_free_kbytes")
		put(t, filepath.Join(proc, "meminfo"), fmt.Sprintf("MemTotal:  %12d kB\nMemFree: 7 kB\n", tc.totalKB))
		put(t, setting, fmt.Sprintf("%d\n", tc.chosenKB))
		if err := limitReserve(proc); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		var got uint64
		text, _ := os.ReadFile(setting)
		if _, err := fmt.Sscan(string(text), &got); err != nil || got != tc.want {
			t.Errorf("%s: got %q, want %d", tc.name, text, tc.want)
		}
	}
}

func TestLimitReserveNamesWhatItCannotRead(t *testing.T) {
	proc := t.TempDir()
	if err := limitReserve(proc); err == nil {
		t.Error("without meminfo: no error")
	}
	put(t, filepath.Join(proc, "meminfo"), "MemTotal: lots\n")
	if err := limitReserve(proc); err == nil {
		t.Error("without a number: no error")
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
