// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	"dodeka/userland/internal/cmdline"
	"dodeka/userland/internal/ukifile/testuki"
)

const (
	old  = "dodeka_1.0.0"
	next = "dodeka_1.1.0_0123456789ab"
)

// sealed is a root image of one block: its own digest is the root hash. The other two are superblock and tree.
func sealed(fill byte) (image []byte, hash string) {
	image = bytes.Repeat([]byte{fill}, 2*4096)
	sum := sha256.Sum256(image[:4096])
	return image, hex.EncodeToString(sum[:])
}

func commandLine(hash, version string) string {
	return "dodeka.root=" + hash + " dodeka.root.blocks=1 dodeka.platform=metal dodeka.version=" + version
}

func padded(text string, length int) string { return text + strings.Repeat("#", length-len(text)) }

// machine is an ESP with one version, started by BIOS.
func machine(t *testing.T) Request {
	t.Helper()
	image, hash := sealed(1)
	dir := t.TempDir()
	for name, content := range map[string]string{
		"loader/loader.conf":    padded("default "+old+".efi\n", 512),
		"grub/grubenv":          padded("# GRUB Environment Block\ndodeka_entry="+old+"\ndodeka_next=\n", 1024),
		"grub/grub.cfg":         "selector",
		bootentry.Commands(old): "old", bootentry.UKI(old): string(testuki.Make(commandLine(hash, "1.0.0"))),
		"dodeka/" + hash + ".root": string(image),
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	booted, err := cmdline.Parse(commandLine(hash, "1.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	return Request{Loaders: bootentry.Loaders{ESP: dir}, Running: old, Booted: booted, Progress: func(string) {}, Files: version(2, "1.1.0")}
}

func file(path string, content []byte) File {
	sum := sha256.Sum256(content)
	return File{
		Path: path, Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: int64(len(content)),
		Open: func(context.Context) io.Reader { return iotest.HalfReader(bytes.NewReader(content)) },
	}
}

// version is what an image brings.
func version(fill byte, number string) []File {
	image, hash := sealed(fill)
	return []File{
		file(bootentry.Commands(next), []byte("commands")), file(bootentry.UKI(next), testuki.Make(commandLine(hash, number))),
		file("dodeka/"+hash+".root", image),
	}
}

func listing(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

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

func TestAnAttemptIsKeptWhenTheMachineIsWell(t *testing.T) {
	r, store := machine(t), memory{}
	begun(t, r, store)
	if text, _ := os.ReadFile(filepath.Join(r.Loaders.ESP, bootentry.GrubEnvironment)); !strings.Contains(string(text), "dodeka_next="+next+"\n") {
		t.Errorf("the loader was told %q", text)
	}
	a, found, err := AtBoot(store, r.Loaders, next)
	if !found || err != nil || a.State != Trying || a.Version != "1.1.0" {
		t.Fatalf("got %+v, %v, %v", a, found, err)
	}
	if err := a.Keep(store, r.Loaders); err != nil {
		t.Fatal(err)
	}
	if a, _, _ := AtBoot(store, r.Loaders, next); a.State != Kept {
		t.Errorf("got %+v", a)
	}
	if entry, _ := r.Loaders.Default(); entry != next {
		t.Errorf("the default is %q", entry)
	}
}

func TestAnAttemptThatEndsIsNotTriedAgain(t *testing.T) {
	for _, reason := range []string{"", "apid is not healthy"} {
		r, store := machine(t), memory{}
		begun(t, r, store)
		want := "it ended before the machine was well"
		if reason != "" {
			want = reason
			a, _, _ := AtBoot(store, r.Loaders, next)
			if err := a.GiveUp(store, reason); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			a, found, err := AtBoot(store, r.Loaders, old)
			if !found || err != nil || a.State != Failed || a.Reason != want {
				t.Errorf("got %+v, %v, %v", a, found, err)
			}
		}
		if entry, _ := r.Loaders.Default(); entry != old {
			t.Errorf("the default is %q", entry)
		}
		if _, err := Rollback(store, r.Loaders, old); !errors.Is(err, ErrNoOther) {
			t.Errorf("got %v", err)
		}
	}
}

func TestABootLoaderThatCannotBeToldEndsTheAttempt(t *testing.T) {
	r, store := machine(t), memory{}
	v, err := Write(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	r.Loaders.EFI = filepath.Join(t.TempDir(), "read-only")
	if err := Begin(store, r.Loaders, v, old); err == nil {
		t.Error("it was told")
	}
	if a, _ := Last(store); a.State != Failed || !strings.Contains(a.Reason, "LoaderEntryOneShot") {
		t.Errorf("got %+v", a)
	}
}

func TestRollbackGoesBackAndForth(t *testing.T) {
	r, store := machine(t), memory{}
	if _, err := Rollback(store, r.Loaders, old); !errors.Is(err, ErrNoOther) {
		t.Errorf("got %v", err)
	}
	begun(t, r, store)
	if _, err := Rollback(store, r.Loaders, next); !errors.Is(err, ErrNoOther) {
		t.Errorf("got %v", err)
	}
	a, _, _ := AtBoot(store, r.Loaders, next)
	if err := a.Keep(store, r.Loaders); err != nil {
		t.Fatal(err)
	}
	running := next
	for _, want := range []string{old, next, old} {
		entry, err := Rollback(store, r.Loaders, running)
		if entry != want || err != nil {
			t.Fatalf("got %q, %v, expected %s", entry, err, want)
		}
		if chosen, _ := r.Loaders.Default(); chosen != want {
			t.Errorf("the default is %q", chosen)
		}
		if a, _, _ := AtBoot(store, r.Loaders, entry); a.State == Trying || a.State == Failed {
			t.Errorf("got %+v", a)
		}
		running = entry
	}
	if err := os.Remove(filepath.Join(r.Loaders.ESP, r.Files[2].Path)); err != nil {
		t.Fatal(err)
	}
	if _, err := Rollback(store, r.Loaders, old); err == nil || !strings.Contains(err.Error(), "no root image") {
		t.Errorf("got %v", err)
	}
	if chosen, _ := r.Loaders.Default(); chosen != old {
		t.Errorf("the default is %q", chosen)
	}
}

// cut is a store whose power is cut at the next write.
type cut struct{ memory }

func (cut) Set(uint8, string) error { return errors.New("no power") }

func TestAPowerCutBetweenLoaderAndStoreIsMadeGood(t *testing.T) {
	r, store := machine(t), memory{}
	v, err := Write(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if err := Begin(cut{store}, r.Loaders, v, old); err == nil {
		t.Error("begun without the store")
	}
	if text, _ := os.ReadFile(filepath.Join(r.Loaders.ESP, bootentry.GrubEnvironment)); strings.Contains(string(text), "dodeka_next="+next) {
		t.Error("a version is tried that the store does not know")
	}
	begun(t, r, store)
	a, _, _ := AtBoot(store, r.Loaders, next)
	if err := a.Keep(cut{store}, r.Loaders); err == nil {
		t.Error("kept without the store")
	}
	if a, _, err := AtBoot(store, r.Loaders, next); a.State != Kept || err != nil {
		t.Errorf("got %+v, %v", a, err)
	}
	for _, running := range []string{next, old, next} {
		want := map[string]string{next: old, old: next}[running]
		if entry, err := Rollback(cut{store}, r.Loaders, running); err == nil || entry != want {
			t.Errorf("rolled back from %s to %q, %v", running, entry, err)
		}
		if chosen, _ := r.Loaders.Default(); chosen != want {
			t.Errorf("the default is %q", chosen)
		}
	}
}

func TestAnAttemptIsAbandonedForAnother(t *testing.T) {
	r, store := machine(t), memory{}
	begun(t, r, store)
	if err := Abandon(store, r.Loaders, old); err != nil {
		t.Fatal(err)
	}
	if a, _ := Last(store); a.State != Failed || !strings.Contains(a.Reason, "another version was asked for") {
		t.Errorf("got %+v", a)
	}
	if text, _ := os.ReadFile(filepath.Join(r.Loaders.ESP, bootentry.GrubEnvironment)); !strings.Contains(string(text), "dodeka_next=\n") {
		t.Errorf("still armed: %q", text)
	}
	if err := Abandon(store, r.Loaders, old); err != nil {
		t.Error(err)
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

func TestOtherContentOfMETAIsNoAttempt(t *testing.T) {
	for _, text := range []string{"", "{", `{"entry":"x","previous":"dodeka_1","state":"kept"}`, `{"entry":"dodeka_1","state":"trying"}`} {
		if a, found, err := AtBoot(memory{Key: text}, bootentry.Loaders{}, old); found || err != nil {
			t.Errorf("%q: %+v, %v", text, a, err)
		}
	}
}

func begun(t *testing.T, r Request, store Store) {
	t.Helper()
	v, err := Write(t.Context(), r)
	if err == nil {
		err = Begin(store, r.Loaders, v, old)
	}
	if err != nil {
		t.Fatal(err)
	}
}

type memory map[uint8]string

func (m memory) Get(tag uint8) (string, bool) {
	text, found := m[tag]
	return text, found
}

func (m memory) Set(tag uint8, value string) error {
	m[tag] = value
	return nil
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
