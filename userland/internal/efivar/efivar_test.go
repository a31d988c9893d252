// SPDX-License-Identifier: Apache-2.0

package efivar

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

const entryFile = "LoaderEntryOneShot-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"

func TestTextsAreAsTheLoaderHasThem(t *testing.T) {
	dir := t.TempDir()
	if err := SetLoaderText(dir, "LoaderEntryOneShot", "aä.efi"); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(filepath.Join(dir, entryFile))
	if want := "\x07\x00\x00\x00a\x00\xe4\x00.\x00e\x00f\x00i\x00\x00\x00"; err != nil || string(written) != want {
		t.Errorf("got %q, %v", written, err)
	}
	if text, err := LoaderText(dir, "LoaderEntryOneShot"); text != "aä.efi" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestWhatIsNoTextIsRefused(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoaderText(dir, "LoaderEntryOneShot"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	for _, content := range []string{"", "\x07\x00\x00", "\x07\x00\x00\x00a", string(make([]byte, 5000))} {
		if err := os.WriteFile(filepath.Join(dir, entryFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if text, err := LoaderText(dir, "LoaderEntryOneShot"); err == nil {
			t.Errorf("%d bytes are %q", len(content), text)
		}
	}
}
