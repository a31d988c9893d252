// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"dodeka/userland/internal/bootentry"
	"dodeka/userland/internal/ukifile/testuki"
)

func TestAVersionLiesBesideTheOneThatRuns(t *testing.T) {
	r := machine(t)
	var said []string
	r.Progress = func(message string) { said = append(said, message) }
	before := listing(t, r.Loaders.ESP)
	// What an upgrade before this one left.
	for _, name := range []string{bootentry.UKI("dodeka_0.9.0"), bootentry.Commands("dodeka_0.9.0"), "dodeka/" + strings.Repeat("ab", 32) + ".root"} {
		if err := os.WriteFile(filepath.Join(r.Loaders.ESP, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := Write(t.Context(), r)
	if want := (Version{Entry: next, Version: "1.1.0"}); got != want || err != nil {
		t.Fatalf("got %+v, %v", got, err)
	}
	want := before
	for _, f := range r.Files {
		want = append(want, f.Path)
		if content, err := os.ReadFile(filepath.Join(r.Loaders.ESP, f.Path)); err != nil || int64(len(content)) != f.Size {
			t.Errorf("%s: %d bytes, %v", f.Path, len(content), err)
		}
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), listing(t, r.Loaders.ESP)); diff != "" {
		t.Error(diff)
	}
	if entry, err := r.Loaders.Default(); entry != old || err != nil {
		t.Errorf("the default is %q, %v", entry, err)
	}
	if len(said) == 0 {
		t.Error("nothing was said")
	}
}

func TestARootImageThatIsThereIsTakenAsItIs(t *testing.T) {
	r := machine(t)
	r.Files = version(1, "1.0.0")
	r.Files[2].Open = func(context.Context) io.Reader { return iotest.ErrReader(errors.New("must not be read")) }
	if _, err := Write(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func TestWhatCannotRunIsRefusedAndLeavesNothing(t *testing.T) {
	change := func(i int, edit func(*File)) func(*Request) {
		return func(r *Request) { edit(&r.Files[i]) }
	}
	tests := []struct {
		name, want string
		change     func(*Request)
	}{
		{"the version that runs", "runs this version already", func(r *Request) { r.Running = next }},
		{"no file", "lacks a UKI", func(r *Request) { r.Files = nil }},
		{"no root image", "lacks a UKI or a root image", func(r *Request) { r.Files = r.Files[:2] }},
		{"nothing for BIOS", "does not boot by BIOS", func(r *Request) { r.Files = r.Files[1:] }},
		{"two UKIs", "comes twice", func(r *Request) { r.Files = append(r.Files, r.Files[1]) }},
		{"a path that leaves the ESP", "no file of a version", change(0, func(f *File) { f.Path = "grub/../../x.cfg" })},
		{"the selector", "expected \"grub/dodeka_1.1.0", change(0, func(f *File) { f.Path = "grub/grub.cfg" })},
		{"a boot loader", "no file of a version", change(1, func(f *File) { f.Path = "EFI/BOOT/BOOTX64.EFI" })},
		{"a name that is no version's", "cannot be the name", change(1, func(f *File) { f.Path = "EFI/Linux/arch.efi" })},
		{"a boot counter", "cannot be the name", change(1, func(f *File) { f.Path = "EFI/Linux/dodeka_1+3.efi" })},
		{"a root image without its hash", "no file of a version", change(2, func(f *File) { f.Path = "dodeka/x.root" })},
		{"a digest of another kind", "expected SHA-256", change(1, func(f *File) { f.Digest = "sha512:00" })},
		{"a UKI without end", "expected 1 to", change(1, func(f *File) { f.Size = 1 << 40 })},
		{"a negative size", "expected 1 to", change(2, func(f *File) { f.Size = -1 })},
		{"other bytes", "has the digest", change(1, func(f *File) { f.Digest = "sha256:" + strings.Repeat("0", 64) })},
		{"fewer bytes", "ends after", change(2, func(f *File) { f.Size += 4096 })},
		{"a stream that breaks", "no more", change(2, func(f *File) {
			f.Open = func(context.Context) io.Reader { return iotest.ErrReader(errors.New("no more")) }
		})},
		{"a UKI that is none", "no kernel for a processor", func(r *Request) { r.Files[1] = file(bootentry.UKI(next), []byte("MZ")) }},
		{"a UKI of another system", "is missing", func(r *Request) { r.Files[1] = file(bootentry.UKI(next), testuki.Make("quiet")) }},
		{"a UKI of another root image", "but the image brings", func(r *Request) { r.Files[1] = version(3, "1.1.0")[1] }},
		{"a damaged root image", "root hash does not match", func(r *Request) {
			r.Files[2] = file(r.Files[2].Path, bytes.Repeat([]byte{9}, 8192))
		}},
		{"the running root image with another length", "another length", func(r *Request) {
			r.Files = version(1, "1.0.0")
			r.Files[2].Size--
		}},
		{"another platform", `for the platform "aws"`, func(r *Request) {
			_, hash := sealed(2)
			text := strings.Replace(commandLine(hash, "1.1.0"), "metal", "aws", 1)
			r.Files[1] = file(bootentry.UKI(next), testuki.Make(text))
		}},
		{"a version that is being tried", "only being tried", func(r *Request) { r.Running = "dodeka_3" }},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			r := machine(t)
			before := listing(t, r.Loaders.ESP)
			tc.change(&r)
			if _, err := Write(t.Context(), r); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v", err)
			}
			if diff := cmp.Diff(before, listing(t, r.Loaders.ESP)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestADiskWithoutGRUBTakesAVersionForBoth(t *testing.T) {
	r := machine(t)
	r.Loaders.EFI = t.TempDir()
	if err := os.RemoveAll(filepath.Join(r.Loaders.ESP, "grub")); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(r.Loaders.ESP, "grub")); err == nil {
		t.Error("there is something for GRUB now")
	}
}

func TestARefusalLeavesTheVersionBefore(t *testing.T) {
	r := machine(t)
	before := filepath.Join(r.Loaders.ESP, bootentry.UKI("dodeka_0.9.0"))
	if err := os.WriteFile(before, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, hash := sealed(2)
	r.Files[1] = file(bootentry.UKI(next), testuki.Make(strings.Replace(commandLine(hash, "1.1.0"), "metal", "aws", 1)))
	if _, err := Write(t.Context(), r); err == nil {
		t.Error("written")
	}
	if _, err := os.Stat(before); err != nil {
		t.Error(err)
	}
}

func FuzzArrange(f *testing.F) {
	f.Add(bootentry.UKI(next), "dodeka/"+strings.Repeat("ab", 32)+".root", bootentry.Commands(next), int64(5))
	f.Fuzz(func(t *testing.T, a, b, c string, size int64) {
		digest := "sha256:" + strings.Repeat("0", 64)
		p, err := arrange([]File{{Path: a, Size: size, Digest: digest}, {Path: b, Size: size, Digest: digest}, {Path: c, Size: size, Digest: digest}})
		if err != nil {
			return
		}
		want := []string{bootentry.UKI(p.entry), p.root.Path, bootentry.Commands(p.entry)}
		if got := []string{p.uki.Path, filepath.Clean(p.root.Path), p.commands.Path}; fmt.Sprint(got) != fmt.Sprint(want) || strings.Contains(p.entry, "/") {
			t.Errorf("%q: %q", []string{a, b, c}, got)
		}
	})
}
