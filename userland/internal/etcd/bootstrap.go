// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// intent is a bootstrap that was asked for and is not done. It lies on the disk, so that a power cut does not leave a
// data folder that looks whole: as long as it is there, what the data folder has is thrown away and made anew.
type intent struct {
	Recover       bool `json:"recover"`       // from the snapshot that was uploaded
	SkipHashCheck bool `json:"skipHashCheck"` // the file is a copy of a database, which ends without a checksum
}

var (
	errBusy = status.Error(codes.FailedPrecondition, "etcd: another bootstrap or upload is under way")
	errData = status.Error(codes.AlreadyExists, "etcd has data on this machine, or is making them: it was bootstrapped before")
)

// Bootstrap begins a cluster of this machine alone. It returns when the service has been told; a power cut after that is
// made good by the next boot. Errors are gRPC statuses.
func (s *Service) Bootstrap(ctx context.Context, fromSnapshot, skipHashCheck bool) error {
	if !s.changes.TryLock() {
		return errBusy
	}
	defer s.changes.Unlock()
	if err := s.mustBeEmpty(); err != nil {
		return err
	}
	if fromSnapshot {
		if err := s.verifySnapshot(ctx, skipHashCheck); err != nil {
			return err
		}
	} else if err := remove(s.snapshot()); err != nil {
		return err
	}
	text, err := json.Marshal(intent{fromSnapshot, skipHashCheck})
	if err == nil {
		err = writeDurably(s.intentFile(), text)
	}
	if err != nil {
		return err
	}
	select {
	case s.asked <- struct{}{}:
	default:
	}
	return nil
}

func (s *Service) mustBeEmpty() error {
	wanted, err := s.intent()
	if err == nil && (wanted != nil || s.hasData()) {
		err = errData
	}
	return err
}

// intent returns nil when there is none.
func (s *Service) intent() (*intent, error) {
	text, err := os.ReadFile(s.intentFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	wanted := &intent{}
	if err := json.Unmarshal(text, wanted); err != nil {
		return nil, fmt.Errorf("%s: %w", s.intentFile(), err)
	}
	return wanted, nil
}

func (s *Service) hasData() bool {
	entries, err := os.ReadDir(s.data())
	return len(entries) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist)
}

// begin makes the data folder what the bootstrap needs: empty, or restored.
func (s *Service) begin(ctx context.Context, wanted intent) error {
	if !wanted.Recover {
		return os.RemoveAll(s.data())
	}
	if err := s.restore(ctx, wanted.SkipHashCheck); err != nil {
		return err
	}
	return s.done()
}

// settle ends a bootstrap from nothing: when etcd has a leader its log is whole. Until then a power cut starts it anew,
// with what a client could write in that fraction of a second.
func (s *Service) settle(ctx context.Context, log io.Writer) {
	for {
		if wanted, err := s.intent(); err == nil && wanted == nil {
			return
		}
		if s.healthy(ctx) == nil {
			if err := s.done(); err != nil {
				fmt.Fprintf(log, "end the bootstrap: %v\n", err)
			}
		}
		if sleep(ctx, startWait) != nil {
			return
		}
	}
}

// done forgets the bootstrap, and then what it was made from.
func (s *Service) done() error {
	s.changes.Lock() // not for long: nothing is uploaded as long as there is an intent
	defer s.changes.Unlock()
	err := remove(s.intentFile())
	if err == nil {
		err = syncFolder(s.Folder)
	}
	return errors.Join(err, remove(s.snapshot()))
}

// tidy removes what was begun and not finished, and a snapshot that nobody waits for any more.
func (s *Service) tidy() error {
	wanted, err := s.intent()
	if err == nil && wanted == nil {
		err = remove(s.snapshot())
	}
	return errors.Join(err, remove(s.upload()), os.RemoveAll(s.restored()))
}

// ownFolder makes a folder that only the container and root look into.
func (s *Service) ownFolder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	return errors.Join(os.Chmod(path, 0o700), os.Chown(path, s.Owner, s.Owner))
}

func (s *Service) intentFile() string { return filepath.Join(s.Folder, "etcd.bootstrap") }

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// writeDurably makes a file that is there whole or not at all, whatever ends this.
func writeDurably(path string, content []byte) error {
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return moveDurably(file.Name(), path)
}

func moveDurably(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(to))
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
