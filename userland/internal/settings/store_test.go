// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/config"
)

func named(t *testing.T, hostname string) config.Provider {
	t.Helper()
	parsed, err := Parse(whole("network: {hostname: " + hostname + "}"))
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Provider
}

func hostname(provider config.Provider) string {
	if provider == nil {
		return ""
	}
	return provider.NetworkHostnameConfig().Hostname()
}

func saved(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := (store{dir: dir}).save(named(t, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStoreKeepsThePreviousOne(t *testing.T) {
	dir := t.TempDir()
	if provider, complaints := (store{dir: dir}).load(); provider != nil || complaints != nil {
		t.Fatalf("an empty directory: %v, %v", provider, complaints)
	}
	saved(t, dir, "a", "b", "c")
	provider, complaints := store{dir: dir}.load()
	if hostname(provider) != "c" || complaints != nil {
		t.Errorf("got %q, %v", hostname(provider), complaints)
	}
	if err := os.Remove(filepath.Join(dir, currentFile)); err != nil {
		t.Fatal(err)
	}
	if provider, _ := (store{dir: dir}).load(); hostname(provider) != "b" {
		t.Errorf("previous is %q", hostname(provider))
	}
	for _, name := range []string{previousFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestStoreReadsPastBrokenFiles(t *testing.T) {
	tests := []struct {
		name   string
		damage func(path string) error
		want   string
	}{
		{"cut off", func(path string) error { return os.Truncate(path, 300) }, "the checksum does not fit"},
		{"cut in the first line", func(path string) error { return os.Truncate(path, 20) }, "the checksum does not fit"},
		{"one letter changed", func(path string) error {
			data, err := os.ReadFile(path)
			return errors.Join(err, os.WriteFile(path, []byte(strings.Replace(string(data), "hostname: b", "hostname: x", 1)), 0o600))
		}, "the checksum does not fit"},
		{"empty", func(path string) error { return os.Truncate(path, 0) }, "empty"},
		{"zeros", func(path string) error { return os.WriteFile(path, make([]byte, 4096), 0o600) }, ""},
		{"garbage", func(path string) error { return os.WriteFile(path, []byte("machine: [\n"), 0o600) }, "yaml"},
		{"huge", func(path string) error { return os.WriteFile(path, make([]byte, MaxBytes+300), 0o600) }, "over"},
		{"not valid", func(path string) error { return os.WriteFile(path, []byte("machine: {type: foo}\n"), 0o600) }, "machine.type: expected"},
		{"directory", func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, "is a directory"},
		{"link to elsewhere", func(path string) error { return errors.Join(os.Remove(path), os.Symlink("/etc/passwd", path)) }, "escapes"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			saved(t, dir, "a", "b")
			if err := tc.damage(filepath.Join(dir, currentFile)); err != nil {
				t.Fatal(err)
			}
			provider, complaints := store{dir: dir}.load()
			if hostname(provider) != "a" || len(complaints) != 1 || !strings.Contains(complaints[0].Error(), tc.want) {
				t.Fatalf("got %q, %v", hostname(provider), complaints)
			}
			if tc.name == "directory" {
				return
			}
			saved(t, dir, "c") // must not push out the only good one before the new one is there
			if err := os.Truncate(filepath.Join(dir, currentFile), 0); err != nil {
				t.Fatal(err)
			}
			if provider, _ := (store{dir: dir}).load(); hostname(provider) != "a" {
				t.Errorf("the broken file became the previous one: %q", hostname(provider))
			}
		})
	}
}

func TestStoreTakesAFileOfSomebodyElse(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, currentFile), whole("network: {hostname: a}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if provider, complaints := (store{dir: dir}).load(); hostname(provider) != "a" || complaints != nil {
		t.Errorf("got %v", complaints)
	}
}

var errCut = errors.New("power cut")

// TestPowerCut stops the work before each step, with the file that is being written whole, cut or empty.
func TestPowerCut(t *testing.T) {
	for _, step := range []string{"write", "keep", "rename", "sync directory", "end"} {
		for _, length := range []int64{-1, 0, 100} {
			t.Run(fmt.Sprintf("before %s, new file %d bytes", step, length), func(t *testing.T) {
				dir := t.TempDir()
				saved(t, dir, "a", "b")
				cut := store{dir: dir, step: func(name string) error {
					if name == step {
						return errCut
					}
					return nil
				}}
				if err := cut.save(named(t, "c")); !errors.Is(err, errCut) {
					t.Fatal(err)
				}
				if err := os.Truncate(filepath.Join(dir, newFile), length); length >= 0 && err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
				provider, complaints := store{dir: dir}.load()
				want := "b"
				if step == "sync directory" || step == "end" {
					want = "c"
				}
				if hostname(provider) != want || complaints != nil {
					t.Fatalf("got %q, %v", hostname(provider), complaints)
				}
				saved(t, dir, "d") // whatever was left does not stand in the way
				if provider, _ := (store{dir: dir}).load(); hostname(provider) != "d" {
					t.Errorf("after that: %q", hostname(provider))
				}
			})
		}
	}
}

func TestStoreSaysWhenItCannotWrite(t *testing.T) {
	if err := (store{dir: filepath.Join(t.TempDir(), "missing")}).save(named(t, "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, complaints := (store{dir: filepath.Join(t.TempDir(), "missing")}).load(); len(complaints) != 1 {
		t.Errorf("got %v", complaints)
	}
}
