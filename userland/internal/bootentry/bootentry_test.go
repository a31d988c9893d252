// SPDX-License-Identifier: Apache-2.0

package bootentry

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dodeka/userland/internal/efivar"
)

const (
	conf = "timeout 0\nconsole-mode keep\neditor no\ndefault dodeka_1.0.0.efi\n"
	env  = "# GRUB Environment Block\ndodeka_entry=dodeka_1.0.0\ndodeka_next=\n"
)

func pad(text string, length int) string { return text + strings.Repeat("#", length-len(text)) }

// esp is as builder/artifacts/boot-files.ts writes it.
func esp(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		LoaderConf: pad(conf, 512), GrubEnvironment: pad(env, 1024),
		Commands("dodeka_1.1.0_0123456789ab"): "x", Commands("dodeka_2"): "x",
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func content(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestADefaultIsChosenForBothLoadersInPlace(t *testing.T) {
	const next = "dodeka_1.1.0_0123456789ab"
	for _, efi := range []string{"", t.TempDir()} {
		l := Loaders{ESP: esp(t), EFI: efi}
		if entry, err := l.Default(); entry != "dodeka_1.0.0" || err != nil {
			t.Fatalf("got %q, %v", entry, err)
		}
		if err := l.SetDefault(next); err != nil {
			t.Fatal(err)
		}
		if got := content(t, l.ESP, LoaderConf); got != pad(strings.Replace(conf, "dodeka_1.0.0", next, 1), 512) {
			t.Errorf("loader.conf: %q", got)
		}
		if got := content(t, l.ESP, GrubEnvironment); got != pad(strings.Replace(env, "dodeka_1.0.0", next, 1), 1024) {
			t.Errorf("grubenv: %q", got)
		}
		if entry, err := l.Default(); entry != next || err != nil {
			t.Errorf("got %q, %v", entry, err)
		}
	}
}

func TestAnEntryIsTriedByTheLoaderThatRuns(t *testing.T) {
	bios := Loaders{ESP: esp(t)}
	if err := bios.TryOnce("dodeka_2"); err != nil {
		t.Fatal(err)
	}
	if got := content(t, bios.ESP, GrubEnvironment); got != pad(env[:len(env)-1]+"dodeka_2\n", 1024) {
		t.Errorf("grubenv: %q", got)
	}
	uefi := Loaders{ESP: esp(t), EFI: t.TempDir()}
	if err := uefi.TryOnce("dodeka_2"); err != nil {
		t.Fatal(err)
	}
	if text, err := efivar.LoaderText(uefi.EFI, "LoaderEntryOneShot"); text != "dodeka_2.efi" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	if got := content(t, uefi.ESP, GrubEnvironment); got != pad(env, 1024) {
		t.Errorf("grubenv: %q", got)
	}
}

func TestWhatWasArmedIsTakenBack(t *testing.T) {
	for _, efi := range []string{"", t.TempDir()} {
		l := Loaders{ESP: esp(t), EFI: efi}
		if err := errors.Join(l.Disarm(), l.TryOnce("dodeka_2"), l.Disarm(), l.Disarm()); err != nil {
			t.Fatal(err)
		}
		if got := content(t, l.ESP, GrubEnvironment); got != pad(env, 1024) {
			t.Errorf("grubenv: %q", got)
		}
		if names, _ := filepath.Glob(filepath.Join(efi, "Loader*")); efi != "" && len(names) != 0 {
			t.Errorf("variables: %q", names)
		}
	}
}

func TestAChoiceOfTheMenuIsSeenAndReplaced(t *testing.T) {
	l := Loaders{ESP: esp(t), EFI: t.TempDir()}
	if err := efivar.SetLoaderText(l.EFI, "LoaderEntryDefault", "dodeka_0.9.0.efi"); err != nil {
		t.Fatal(err)
	}
	if entry, err := l.Default(); entry != "dodeka_0.9.0" || err != nil {
		t.Errorf("got %q, %v", entry, err)
	}
	if err := l.SetDefault("dodeka_2"); err != nil {
		t.Fatal(err)
	}
	if entry, err := l.Default(); entry != "dodeka_2" || err != nil {
		t.Errorf("got %q, %v", entry, err)
	}
}

func TestGRUBKeepsItsEntryWhenItCannotBootTheOther(t *testing.T) {
	l := Loaders{ESP: esp(t), EFI: t.TempDir()}
	if err := l.SetDefault("dodeka_3"); err != nil || l.BootsByGRUB("dodeka_3") || !l.BootsByGRUB("dodeka_2") {
		t.Fatal(err)
	}
	if got := content(t, l.ESP, GrubEnvironment); got != pad(env, 1024) {
		t.Errorf("grubenv: %q", got)
	}
	if entry, err := l.Default(); entry != "dodeka_3" || err != nil {
		t.Errorf("got %q, %v", entry, err)
	}
}

func TestADiskWithoutGrubHasOneLoader(t *testing.T) {
	l := Loaders{ESP: esp(t), EFI: t.TempDir()}
	if err := errors.Join(os.Remove(filepath.Join(l.ESP, GrubEnvironment)), l.SetDefault("dodeka_2")); err != nil {
		t.Fatal(err)
	}
	if entry, err := l.Default(); entry != "dodeka_2" || err != nil {
		t.Errorf("got %q, %v", entry, err)
	}
}

func TestFilesOfOthersAreLeftAlone(t *testing.T) {
	for _, text := range []string{
		"", conf, pad("default x\n", 5000), pad("timeout 3\n", 512), pad(conf+strings.Repeat("title a long one\n", 30), 600),
	} {
		l := Loaders{ESP: esp(t), EFI: t.TempDir()}
		path := filepath.Join(l.ESP, LoaderConf)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := l.SetDefault("dodeka_2"); err == nil {
			t.Errorf("%.40q was changed", text)
		}
		if got := content(t, l.ESP, LoaderConf); got != text {
			t.Errorf("%.40q is now %.40q", text, got)
		}
	}
}

func TestRunning(t *testing.T) {
	efi := t.TempDir()
	if err := efivar.SetLoaderText(efi, "LoaderEntrySelected", "dodeka_1.0.0.efi"); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ text, efi, want string }{
		{"BOOT_IMAGE=(dodeka_1.0.0)1+2 quiet", "", "dodeka_1.0.0"},
		{"quiet", efi, "dodeka_1.0.0"},
		{"BOOT_IMAGE=/boot/vmlinuz quiet", "", ""},
		{"BOOT_IMAGE=(../../x)1+2", "", ""},
		{"BOOT_IMAGE=(dodeka_2)1+2", t.TempDir(), ""},
		{"", "", ""},
	} {
		got, err := Running(tc.text, tc.efi)
		if got != tc.want || (err == nil) != (tc.want != "") || err != nil && !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: %q, %v", tc.text, got, err)
		}
	}
}

func TestAMediumsChoiceIsTakenBack(t *testing.T) {
	tried := strings.Replace(env, "next=", "next=dodeka_2", 1)
	got, err := Choose(GrubEnvironment, []byte(pad(tried, 1024)), "dodeka_3")
	if want := pad(strings.Replace(env, "dodeka_1.0.0", "dodeka_3", 1), 1024); string(got) != want || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	got, err = Choose(LoaderConf, []byte(pad(conf, 512)), "dodeka_3")
	if want := pad(strings.Replace(conf, "dodeka_1.0.0", "dodeka_3", 1), 512); string(got) != want || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestValid(t *testing.T) {
	for name, want := range map[string]bool{
		"dodeka_1.0.0": true, "dodeka_0.1.0_0123456789ab": true, "dodeka_": false, "dodeka_../x": false, "x": false,
		"dodeka_1.0.0+3": false, "dodeka_A": false, "dodeka_1\n": false, "dodeka_" + strings.Repeat("a", 97): false,
	} {
		if Valid(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}
