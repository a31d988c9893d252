// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/siderolabs/talos/pkg/machinery/config"
)

const (
	currentFile  = "config.yaml"
	previousFile = "config.previous.yaml"
	newFile      = "config.new.yaml"
	keepFile     = "config.keep.yaml"

	// sumPrefix begins the first line that we write: a comment to every other reader, a checksum of the rest to us. A
	// file without it was put there by somebody else and is taken as it is.
	sumPrefix = "# dodeka-sha256: "
)

// store keeps the configuration in the STATE directory so that a power cut at any moment leaves the old or the new
// one. It opens the directory anew each time: STATE can be unmounted under it.
type store struct {
	dir  string
	step func(name string) error // tests stop the work here; nil otherwise
}

// load returns the newest configuration that can be read. complaints say what is wrong with newer ones. Without a
// file at all everything is nil.
func (s store) load() (provider config.Provider, complaints []error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, []error{err}
	}
	defer root.Close()
	for _, name := range []string{currentFile, previousFile} {
		provider, err := read(root, name)
		if err == nil {
			return provider, complaints
		}
		if !errors.Is(err, fs.ErrNotExist) {
			complaints = append(complaints, fmt.Errorf("%s: %w", name, err))
		}
	}
	return nil, complaints
}

// save writes a configuration. The one before stays as config.previous.yaml, unless it is broken: then the previous
// one stays what it is.
func (s store) save(provider config.Provider) error {
	text, err := provider.Bytes()
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	_, broken := read(root, currentFile)
	steps := []struct {
		name string
		run  func() error
	}{
		{"write", func() error { return writeSynced(root, newFile, withSum(text)) }},
		{"keep", func() error { return keep(root, broken == nil) }},
		{"rename", func() error { return root.Rename(newFile, currentFile) }},
		{"sync directory", func() error { return syncDir(root) }},
	}
	for _, step := range steps {
		if err := s.before(step.name); err != nil {
			return err
		}
		if err := step.run(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return s.before("end")
}

func (s store) before(name string) error {
	if s.step == nil {
		return nil
	}
	return s.step(name)
}

// keep gives the current file a second name and moves that over the previous one: there is always a whole file.
func keep(root *os.Root, wanted bool) error {
	if !wanted {
		return nil
	}
	if err := root.Remove(keepFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := root.Link(currentFile, keepFile); err != nil {
		return err
	}
	return root.Rename(keepFile, previousFile)
}

func writeSynced(root *os.Root, name string, data []byte) error {
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func syncDir(root *os.Root) error {
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func read(root *os.Root, name string) (config.Provider, error) {
	file, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, MaxBytes+256))
	if err != nil {
		return nil, err
	}
	text, err := withoutSum(data)
	if err != nil {
		return nil, err
	}
	parsed, err := Parse(text)
	if err != nil {
		return nil, err
	}
	_, err = validate(context.Background(), parsed.Provider, stored, nil)
	return parsed.Provider, err
}

func withSum(text []byte) []byte {
	return append(sumLine(text), text...)
}

func withoutSum(data []byte) ([]byte, error) {
	line, text, ended := bytes.Cut(data, []byte("\n"))
	if !bytes.HasPrefix(line, []byte(sumPrefix)) {
		return data, nil
	}
	if !ended || !bytes.Equal(append(line, '\n'), sumLine(text)) {
		return nil, errors.New("the checksum does not fit: the file was cut off or changed")
	}
	return text, nil
}

func sumLine(text []byte) []byte {
	sum := sha256.Sum256(text)
	return []byte(sumPrefix + hex.EncodeToString(sum[:]) + "\n")
}
