// SPDX-License-Identifier: Apache-2.0

// Package upgrade puts another version of the system beside the one that runs, and has the machine try it once. The version
// is a boot entry of its own on the ESP: nothing that the running one needs is touched, and until the last step the boot
// loaders do not know of it. A version that was tried is kept only if the machine gets well with it: see Attempt.
// What brings a version is hostile until it was checked: the files of an artifact of builder/artifacts/installer.ts.
package upgrade

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/bootentry"
	"dodeka/userland/internal/cmdline"
	"dodeka/userland/internal/ukifile"
	"dodeka/userland/internal/verityhash"
)

// ArtifactType is that of the images that bring a version.
const ArtifactType = "application/vnd.dodeka.installer.v1"

// ErrRuns is the refusal of the version that runs.
var ErrRuns = errors.New("the machine runs this version already")

// File is one of a version's, by its path on the ESP.
type File struct {
	Path   string
	Digest string // "sha256:..."
	Size   int64
	Open   func(ctx context.Context) io.Reader
}

// Request says what is to be written where.
type Request struct {
	Files    []File
	Loaders  bootentry.Loaders // of the mounted, writable ESP
	Running  string            // entry
	Booted   cmdline.Cmdline
	Progress func(message string)
}

// Version is one that lies on the ESP, checked.
type Version struct {
	Entry   string
	Version string // as on its command line
}

// Write returns when the version is on the disk as its digests say. After an error nothing of it is left, and what is known
// to be wrong before anything is written leaves the version before the running one too. The boot loaders do not start it yet.
func Write(ctx context.Context, r Request) (Version, error) {
	parts, err := arrange(r.Files)
	if err != nil {
		return Version{}, err
	}
	if err := refuse(ctx, r, parts); err != nil {
		return Version{}, err
	}
	if !r.Loaders.HasGRUB() {
		parts.commands = nil
	}
	r.Progress("making room")
	if err := makeRoom(r, parts); err != nil {
		return Version{}, err
	}
	version, err := r.write(ctx, parts)
	if err != nil {
		return Version{}, errors.Join(err, removeEntry(r.Loaders.ESP, parts.entry, ""), removeRoots(r))
	}
	return version, nil
}

// refuse looks at what is known before anything is written, the beginning of the UKI too.
func refuse(ctx context.Context, r Request, p parts) error {
	if p.entry == r.Running {
		return fmt.Errorf("%w: %s", ErrRuns, p.entry)
	}
	if r.Loaders.EFI == "" && p.commands == nil {
		return errors.New("this version does not boot by BIOS, by which this machine was started: its kernel arguments have quotes or backslashes")
	}
	chosen, err := r.Loaders.Default()
	if err != nil {
		return err
	}
	if chosen != r.Running {
		return fmt.Errorf("%s runs but is only being tried, %s boots next: wait until it is kept, or reboot", r.Running, chosen)
	}
	head, err := io.ReadAll(io.LimitReader(p.uki.Open(ctx), headBytes))
	if err != nil {
		return fmt.Errorf("%s: %w", p.uki.Path, err)
	}
	_, err = r.checkUKI(bytes.NewReader(head), p)
	return err
}

// checkUKI reads what a UKI says of itself: it must be this machine's, and boot from the root image that comes with it.
func (r Request) checkUKI(uki io.ReaderAt, p parts) (cmdline.Cmdline, error) {
	text, err := readUKI(uki)
	switch {
	case err != nil:
		return text, fmt.Errorf("%s: %w", p.uki.Path, err)
	case text.RootImageName() != filepath.Base(p.root.Path):
		return text, fmt.Errorf("%s boots from %s, but the image brings %s", p.uki.Path, text.RootImageName(), p.root.Path)
	case text.Platform != r.Booted.Platform:
		return text, fmt.Errorf("the image is for the platform %q, this machine runs on %q", text.Platform, r.Booted.Platform)
	}
	return text, nil
}

func (r Request) write(ctx context.Context, p parts) (Version, error) {
	esp := r.Loaders.ESP
	if err := r.copy(ctx, p.uki); err != nil {
		return Version{}, err
	}
	file, err := openUncached(filepath.Join(esp, p.uki.Path))
	if err != nil {
		return Version{}, err
	}
	defer file.Close()
	text, err := r.checkUKI(file, p)
	if err != nil {
		return Version{}, err
	}
	if err := r.bringRoot(ctx, p.root, text); err != nil {
		return Version{}, err
	}
	if p.commands != nil {
		if err := r.copy(ctx, *p.commands); err != nil {
			return Version{}, err
		}
	}
	return Version{Entry: p.entry, Version: text.Version}, syncFolder(esp)
}

// bringRoot leaves a root image alone that is there already, as it is when only the kernel or its arguments change.
func (r Request) bringRoot(ctx context.Context, f File, text cmdline.Cmdline) error {
	path := filepath.Join(r.Loaders.ESP, f.Path)
	if info, err := os.Stat(path); err != nil || info.Size() != f.Size {
		if text.RootHash == r.Booted.RootHash {
			return fmt.Errorf("%s has another length than the one that runs", f.Path)
		}
		if err := r.copy(ctx, f); err != nil {
			return err
		}
	}
	r.Progress("checking the root image")
	file, err := openUncached(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := verityhash.Check(file, text.RootBlocks, text.RootHash); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return nil
}

func readUKI(uki io.ReaderAt) (cmdline.Cmdline, error) {
	if !ukifile.IsFor(uki, runtime.GOARCH) {
		return cmdline.Cmdline{}, fmt.Errorf("no kernel for a processor of the kind %s", runtime.GOARCH)
	}
	text, err := ukifile.CommandLine(uki)
	if err != nil {
		return cmdline.Cmdline{}, err
	}
	return cmdline.Parse(text)
}

// openUncached reads from the medium what was written to it.
func openUncached(path string) (*os.File, error) {
	file, err := os.Open(path)
	if err == nil {
		_ = unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED) // a hint
	}
	return file, err
}

// makeRoom removes the versions before the running one, and asks whether the new one has room. The names are gone from the
// medium before their clusters are used again.
func makeRoom(r Request, p parts) error {
	entries, err := bootentry.List(r.Loaders.ESP)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := removeEntry(r.Loaders.ESP, entry, r.Running); err != nil {
			return err
		}
	}
	if err := errors.Join(removeRoots(r), syncFolder(r.Loaders.ESP)); err != nil {
		return err
	}
	var space unix.Statfs_t
	if err := unix.Statfs(r.Loaders.ESP, &space); err != nil {
		return err
	}
	needed := p.bytes() + spareBytes
	if filepath.Base(p.root.Path) == r.Booted.RootImageName() {
		needed -= p.root.Size
	}
	if room := int64(space.Bavail) * space.Bsize; room < needed {
		return fmt.Errorf("the ESP has room for %d MiB, and this version needs %d", room>>20, needed>>20)
	}
	return nil
}

func removeEntry(esp, entry, except string) error {
	if entry == except {
		return nil
	}
	return errors.Join(remove(filepath.Join(esp, bootentry.UKI(entry))), remove(filepath.Join(esp, bootentry.Commands(entry))))
}

// removeRoots leaves the root image that runs.
func removeRoots(r Request) error {
	dir := filepath.Join(r.Loaders.ESP, rootFolder)
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.Name() != r.Booted.RootImageName() && strings.HasSuffix(f.Name(), rootSuffix) {
			err = errors.Join(err, remove(filepath.Join(dir, f.Name())))
		}
	}
	return err
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
