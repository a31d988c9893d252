// SPDX-License-Identifier: Apache-2.0

package console

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// machine makes a /sys and a /dev with the named consoles; the terminals are plain files.
func machine(t *testing.T, active string, terminals ...string) (sysRoot, devRoot string) {
	t.Helper()
	root := t.TempDir()
	sysRoot, devRoot = filepath.Join(root, "sys"), filepath.Join(root, "dev")
	for _, dir := range []string{filepath.Join(sysRoot, "class/tty/console"), devRoot} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(sysRoot, "class/tty/console/active"), active)
	for _, name := range terminals {
		write(t, filepath.Join(devRoot, name), "")
	}
	return sysRoot, devRoot
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s: got %q (%v), want %q", filepath.Base(path), got, err, want)
	}
}

func TestLineReachesEveryConsoleAlsoWhatCameBeforeOpen(t *testing.T) {
	sysRoot, devRoot := machine(t, "tty0 ttyS0 ttyS9\n", "tty0", "ttyS0", "kmsg")
	var c Console
	c.Line("early")
	c.Open(sysRoot, devRoot)
	c.Line("late \x1b[2J\u00e9\n.")
	for _, name := range []string{"tty0", "ttyS0"} {
		expect(t, filepath.Join(devRoot, name), "early\nlate ?[2J??.\n")
	}
	expect(t, filepath.Join(devRoot, "kmsg"), "<7>early<7>late ?[2J??.")
}

func TestAsideLeavesTheKernelLogOut(t *testing.T) {
	sysRoot, devRoot := machine(t, "tty0 ttyS0", "tty0", "ttyS0", "kmsg")
	var c Console
	c.Aside("too early")
	c.Open(sysRoot, devRoot)
	var watched []string
	c.TakeScreen(func(line string) { watched = append(watched, line) })
	c.Aside("code\x1b")
	expect(t, filepath.Join(devRoot, "ttyS0"), "code?\n")
	expect(t, filepath.Join(devRoot, "kmsg"), "")
	if !slices.Equal(watched, []string{"code?"}) {
		t.Errorf("watched %q", watched)
	}
}

func TestTakeScreenLeavesTheOtherConsolesAndWatchesLines(t *testing.T) {
	sysRoot, devRoot := machine(t, "tty0 ttyS0", "tty0", "ttyS0")
	var c Console
	c.Open(sysRoot, devRoot)
	var watched []string
	screen := c.TakeScreen(func(line string) { watched = append(watched, line) })
	if screen == nil || filepath.Base(screen.Name()) != "tty0" {
		t.Fatalf("screen is %v", screen)
	}
	c.Line("hello")
	expect(t, filepath.Join(devRoot, "tty0"), "")
	expect(t, filepath.Join(devRoot, "ttyS0"), "hello\n")
	if len(watched) != 1 || watched[0] != "hello" {
		t.Errorf("watched %q", watched)
	}
	if second := c.TakeScreen(nil); second != nil {
		t.Errorf("a second screen %v", second.Name())
	}
}

func TestOpenFallsBackToDevConsole(t *testing.T) {
	sysRoot, devRoot := machine(t, "", "console")
	var c Console
	c.Open(sysRoot, devRoot)
	c.Line("x")
	expect(t, filepath.Join(devRoot, "console"), "x\n")
}

func TestIsVirtual(t *testing.T) {
	for name, want := range map[string]bool{"tty0": true, "tty12": true, "tty": false, "ttyS0": false, "hvc0": false} {
		if got := isVirtual(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestParseRecord(t *testing.T) {
	tests := []struct {
		name, record string
		level        int
		text         string
		ok           bool
	}{
		{"kernel error", "3,1204,5178321,-;device-mapper: verity: block 7 is corrupted\n SUBSYSTEM=block\n", 3,
			"device-mapper: verity: block 7 is corrupted", true},
		{"user facility", "15,1204,5178321,-;dodeka: phase root\n", 0, "", false},
		{"no separator", "3,1,2,-", 0, "", false},
		{"not a number", "x,1,2,-;y", 0, "", false},
	}
	for _, tc := range tests {
		level, text, ok := parseRecord(tc.record)
		if level != tc.level || text != tc.text || ok != tc.ok {
			t.Errorf("%s: got %d %q %v", tc.name, level, text, ok)
		}
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add("6,1,2,-;text\n")
	f.Fuzz(func(t *testing.T, record string) {
		if level, _, ok := parseRecord(record); ok && (level < 0 || level > 7) {
			t.Fatalf("level %d", level)
		}
	})
}
