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
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/bootentry"
)

const (
	rootFolder = "dodeka"
	rootSuffix = ".root"
	// Bounds on what an image may claim. A UKI has some 15 MB, a root image some 60.
	maxUKI      = 256 << 20
	maxRoot     = 4 << 30
	maxCommands = 64 << 10
	spareBytes  = 1 << 20 // that an ESP keeps free
	flushBytes  = 8 << 20 // so that a power cut loses clusters of so much at most
	pieceBytes  = 1 << 20
	headBytes   = 1 << 20 // of a UKI: everything before its kernel
)

// parts are the files of a version by their use.
type parts struct {
	entry     string
	uki, root File
	commands  *File // nil: not for BIOS
}

func (p parts) bytes() int64 {
	total := p.uki.Size + p.root.Size
	if p.commands != nil {
		total += p.commands.Size
	}
	return total
}

// arrange refuses every path but the three that a version has, so that nothing else on the ESP can be written to.
func arrange(files []File) (parts, error) {
	var p parts
	for _, f := range files {
		if digits, found := strings.CutPrefix(f.Digest, "sha256:"); !found || !isDigest(digits) {
			return parts{}, fmt.Errorf("%q: found the digest %q, expected SHA-256", f.Path, f.Digest)
		}
		var limit int64
		switch dir, name := path.Split(f.Path); {
		case p.uki.Path == "" && strings.HasSuffix(name, ".efi") && f.Path == bootentry.UKI(strings.TrimSuffix(name, ".efi")):
			p.uki, p.entry, limit = f, strings.TrimSuffix(name, ".efi"), maxUKI
		case p.root.Path == "" && dir == rootFolder+"/" && strings.HasSuffix(name, rootSuffix) && isDigest(strings.TrimSuffix(name, rootSuffix)):
			p.root, limit = f, maxRoot
		case p.commands == nil && dir == "grub/" && strings.HasSuffix(name, ".cfg"):
			p.commands, limit = &f, maxCommands
		default:
			return parts{}, fmt.Errorf("the image has %q, which is no file of a version, or comes twice", f.Path)
		}
		if f.Size <= 0 || f.Size > limit {
			return parts{}, fmt.Errorf("%q has %d bytes, expected 1 to %d", f.Path, f.Size, limit)
		}
	}
	switch {
	case p.uki.Path == "" || p.root.Path == "":
		return parts{}, errors.New("the image lacks a UKI or a root image")
	case !bootentry.Valid(p.entry):
		return parts{}, fmt.Errorf("%q cannot be the name of a version", p.entry)
	case p.commands != nil && p.commands.Path != bootentry.Commands(p.entry):
		return parts{}, fmt.Errorf("the image has %q, expected %q", p.commands.Path, bootentry.Commands(p.entry))
	}
	return p, nil
}

func isDigest(text string) bool {
	return len(text) == hex.EncodedLen(sha256.Size) && strings.Trim(text, "0123456789abcdef") == ""
}

// copy writes a file anew, to the medium, and checks what was sent against its digest.
func (r Request) copy(ctx context.Context, f File) error {
	name := filepath.Join(r.Loaders.ESP, f.Path)
	if err := remove(name); err != nil {
		return err
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	from := io.TeeReader(io.LimitReader(f.Open(ctx), f.Size), sum)
	piece := make([]byte, pieceBytes)
	for done := int64(0); done < f.Size; {
		n, err := io.ReadFull(from, piece[:min(pieceBytes, f.Size-done)])
		if err != nil {
			return fmt.Errorf("%s ends after %d of %d bytes: %w", f.Path, done+int64(n), f.Size, err)
		}
		if _, err := file.Write(piece[:n]); err != nil {
			return err
		}
		if done += int64(n); done%flushBytes == 0 || done == f.Size {
			if err := file.Sync(); err != nil {
				return err
			}
			r.Progress(fmt.Sprintf("writing %s: %d %%", f.Path, done*100/f.Size))
		}
	}
	if found := "sha256:" + hex.EncodeToString(sum.Sum(nil)); found != f.Digest {
		return fmt.Errorf("%s has the digest %s, expected %s", f.Path, found, f.Digest)
	}
	return readBack(name, f)
}

// readBack reads the file from the medium.
func readBack(name string, f File) error {
	file, err := openUncached(name)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return fmt.Errorf("read back %s: %w", f.Path, err)
	}
	if want, _ := hex.DecodeString(strings.TrimPrefix(f.Digest, "sha256:")); !bytes.Equal(sum.Sum(nil), want) {
		return fmt.Errorf("read back %s: other bytes than were written", f.Path)
	}
	return nil
}

// syncFolder writes everything about the file system that holds a folder.
func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	return unix.Syncfs(int(folder.Fd()))
}
