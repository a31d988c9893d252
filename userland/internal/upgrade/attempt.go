// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"dodeka/userland/internal/bootentry"
	"dodeka/userland/internal/metastore"
)

// State is how far an attempt is.
type State string

// The states. Only Trying is not the end.
const (
	Trying     State = "trying"      // the next boot, or this one, is the first of the version
	Kept       State = "kept"        // the machine got well with it
	Failed     State = "failed"      // it did not, and the one before boots again
	RolledBack State = "rolled-back" // somebody went back to the one before
)

// Attempt is what became of the last upgrade. META holds it, so it outlives every reset that spares META.
type Attempt struct {
	Entry    string `json:"entry"`
	Version  string `json:"version"`
	Previous string `json:"previous"` // entry
	State    State  `json:"state"`
	Reason   string `json:"reason,omitempty"` // of Failed
}

// Store is META.
type Store interface {
	Get(tag uint8) (string, bool)
	Set(tag uint8, value string) error
}

// Last returns the last attempt; false without one, or with one that cannot be read.
func Last(store Store) (Attempt, bool) {
	text, found := store.Get(metastore.UpgradeAttempt)
	var a Attempt
	if !found || json.Unmarshal([]byte(text), &a) != nil || !bootentry.Valid(a.Entry) || !bootentry.Valid(a.Previous) {
		return Attempt{}, false
	}
	return a, true
}

func (a Attempt) keep(store Store) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return store.Set(metastore.UpgradeAttempt, string(text))
}

// Begin has the next boot try a version that was written. The store knows before the boot loader does: a power cut in
// between is an attempt that failed, and not a version that runs unwatched.
func Begin(store Store, loaders bootentry.Loaders, v Version, running string) error {
	a := Attempt{Entry: v.Entry, Version: v.Version, Previous: running, State: Trying}
	if err := a.keep(store); err != nil {
		return err
	}
	err := loaders.TryOnce(v.Entry)
	if err != nil {
		err = errors.Join(err, a.GiveUp(store, err.Error()))
	}
	return err
}

// AtBoot says what this boot is: with Trying, of a version that is being tried. One that was to be tried while another one
// runs has failed, and one that boots for good was kept: the power was cut before the store knew.
func AtBoot(store Store, loaders bootentry.Loaders, running string) (Attempt, bool, error) {
	a, found := Last(store)
	if !found || a.State != Trying {
		return a, found, nil
	}
	if a.Entry != running {
		a.State, a.Reason = Failed, "it ended before the machine was well"
		return a, true, a.keep(store)
	}
	if chosen, err := loaders.Default(); err != nil || chosen != running {
		return a, true, nil
	}
	a.State = Kept
	return a, true, a.keep(store)
}

// Abandon takes an attempt back that no boot has tried yet.
func Abandon(store Store, loaders bootentry.Loaders, running string) error {
	if err := loaders.Disarm(); err != nil {
		return err
	}
	if a, found := Last(store); found && a.State == Trying && a.Entry != running {
		return a.GiveUp(store, "another version was asked for before it was tried")
	}
	return nil
}

// Keep makes the version that is being tried the one that boots.
func (a Attempt) Keep(store Store, loaders bootentry.Loaders) error {
	if err := loaders.SetDefault(a.Entry); err != nil {
		return err
	}
	a.State = Kept
	return a.keep(store)
}

// GiveUp notes why the version is not kept; the reboot that follows starts the one before.
func (a Attempt) GiveUp(store Store, reason string) error {
	a.State, a.Reason = Failed, reason
	return a.keep(store)
}

// ErrNoOther is the refusal to go back when there is nothing to go back to.
var ErrNoOther = errors.New("there is no other version on this disk that the machine was well with")

// Rollback makes the other one of the last two versions boot that the machine was well with.
func Rollback(store Store, loaders bootentry.Loaders, running string) (entry string, err error) {
	a, found := Last(store)
	switch {
	case !found || a.State != Kept && a.State != RolledBack:
		return "", ErrNoOther
	case running == a.Entry:
		entry, a.State = a.Previous, RolledBack
	case running == a.Previous:
		entry, a.State = a.Entry, Kept
	default:
		return "", ErrNoOther
	}
	if err := checkEntry(loaders, entry); err != nil {
		return "", err
	}
	if err := loaders.SetDefault(entry); err != nil {
		return "", err
	}
	return entry, a.keep(store)
}

// checkEntry asks whether a version is on the ESP, so that a machine never goes back to what is not there.
func checkEntry(loaders bootentry.Loaders, entry string) error {
	uki, err := os.Open(filepath.Join(loaders.ESP, bootentry.UKI(entry)))
	if errors.Is(err, os.ErrNotExist) {
		return ErrNoOther
	}
	if err != nil {
		return err
	}
	defer uki.Close()
	text, err := readUKI(uki)
	if err != nil {
		return fmt.Errorf("%s: %w", entry, err)
	}
	if _, err := os.Stat(filepath.Join(loaders.ESP, rootFolder, text.RootImageName())); err != nil {
		return fmt.Errorf("%s has no root image: %w", entry, err)
	}
	if loaders.EFI == "" && !loaders.BootsByGRUB(entry) {
		return fmt.Errorf("%s does not boot by BIOS, by which this machine was started", entry)
	}
	return nil
}
