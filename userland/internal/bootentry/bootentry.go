// SPDX-License-Identifier: Apache-2.0

// Package bootentry chooses which version of the system boots. Each version on an ESP is an entry: a UKI, and GRUB's
// commands for BIOS, with one name. The entry that boots is a line of systemd-boot's loader.conf and one of GRUB's
// environment block. Both files keep their length, and what changes lies in their first sector: it is overwritten in
// place, so a power cut leaves the old entry or the new one.
// Beside it, each loader can be told to try an entry once: it forgets that before it starts it.
// Spec: UAPI.1 Boot Loader Specification, type 2; loader.conf(5); systemd's Boot Loader Interface; GRUB manual, "The GRUB
// environment block". The files are written first by builder/artifacts/boot-files.ts.
package bootentry

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"dodeka/userland/internal/efivar"
)

// Files of the loaders, below the ESP.
const (
	LoaderConf      = "loader/loader.conf"
	GrubEnvironment = "grub/grubenv"
)

const (
	sectorBytes = 512
	maxBytes    = 4096
	loaderKey   = "default "
	grubKey     = "dodeka_entry="
	grubOnceKey = "dodeka_next="
	suffix      = ".efi"
	onceName    = "LoaderEntryOneShot"
	bootedName  = "LoaderEntrySelected"
	chosenName  = "LoaderEntryDefault" // what somebody chose in the menu; it goes before loader.conf
)

// ErrUnknown says that nobody told which entry runs: what booted the machine was none of its disk's loaders.
var ErrUnknown = errors.New("this system was not started by the boot loader of its disk")

var pattern = regexp.MustCompile(`^dodeka_[a-z0-9][a-z0-9.~_-]{0,95}$`)

// Valid tells whether a name can be an entry's.
func Valid(name string) bool { return pattern.MatchString(name) }

// UKI is the entry's kernel on the ESP.
func UKI(entry string) string { return "EFI/Linux/" + entry + suffix }

// Commands is the entry's file for GRUB on the ESP.
func Commands(entry string) string { return "grub/" + entry + ".cfg" }

// List names the entries that have a UKI on an ESP.
func List(esp string) ([]string, error) {
	files, err := os.ReadDir(filepath.Join(esp, filepath.Dir(UKI(""))))
	if err != nil {
		return nil, err
	}
	var entries []string
	for _, f := range files {
		if entry, found := strings.CutSuffix(f.Name(), suffix); found && Valid(entry) {
			entries = append(entries, entry)
		}
	}
	return entries, nil
}

// Variables is where the firmware's variables are mounted.
const Variables = "/sys/firmware/efi/efivars"

// Firmware returns the folder of the firmware's variables, or nothing where BIOS started the machine.
func Firmware(dir string) string {
	if _, err := os.Stat(dir); err != nil {
		return ""
	}
	return dir
}

// Running returns the entry that this boot is of. Text is that of /proc/cmdline, efi the folder of the firmware's variables
// or empty where BIOS started the machine.
func Running(text, efi string) (string, error) {
	var name string
	if efi == "" {
		_, rest, _ := strings.Cut(text, "BOOT_IMAGE=(")
		name, _, _ = strings.Cut(rest, ")")
	} else {
		selected, err := efivar.LoaderText(efi, bootedName)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		name = strings.TrimSuffix(selected, suffix)
	}
	if !Valid(name) {
		return "", ErrUnknown
	}
	return name, nil
}

// Loaders are those of one ESP and of the firmware that runs.
type Loaders struct {
	ESP string // where it is mounted
	EFI string // folder of the firmware's variables; empty: BIOS
}

// Default is the entry that boots when nobody says otherwise.
func (l Loaders) Default() (string, error) {
	name, key := LoaderConf, loaderKey
	if l.EFI == "" {
		name, key = GrubEnvironment, grubKey
	} else if chosen, err := efivar.LoaderText(l.EFI, chosenName); err == nil {
		if entry := strings.TrimSuffix(chosen, suffix); Valid(entry) {
			return entry, nil
		}
	}
	content, err := read(filepath.Join(l.ESP, name))
	if err != nil {
		return "", err
	}
	value, found := lookUp(content, key)
	if entry := strings.TrimSuffix(value, suffix); found && Valid(entry) {
		return entry, nil
	}
	return "", fmt.Errorf("%s: found %q, expected the name of an entry", name, value)
}

// SetDefault chooses for both loaders, as a disk may move to another machine. What was chosen in a menu is forgotten.
func (l Loaders) SetDefault(entry string) error {
	if l.BootsByGRUB(entry) {
		if err := edit(filepath.Join(l.ESP, GrubEnvironment), grubKey, entry); err != nil {
			return err
		}
	}
	if err := edit(filepath.Join(l.ESP, LoaderConf), loaderKey, entry+suffix); err != nil || l.EFI == "" {
		return err
	}
	return efivar.RemoveLoader(l.EFI, chosenName)
}

// HasGRUB tells whether the disk boots by BIOS at all.
func (l Loaders) HasGRUB() bool { return isThere(filepath.Join(l.ESP, GrubEnvironment)) }

// BootsByGRUB tells whether an entry does: its arguments may be such as GRUB would change.
func (l Loaders) BootsByGRUB(entry string) bool {
	return l.HasGRUB() && isThere(filepath.Join(l.ESP, Commands(entry)))
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TryOnce has the next boot, and no other, start an entry.
func (l Loaders) TryOnce(entry string) error {
	if l.EFI != "" {
		return efivar.SetLoaderText(l.EFI, onceName, entry+suffix)
	}
	return edit(filepath.Join(l.ESP, GrubEnvironment), grubOnceKey, entry)
}

// Disarm takes back what TryOnce did, if no boot has come since.
func (l Loaders) Disarm() error {
	if l.EFI != "" {
		return efivar.RemoveLoader(l.EFI, onceName)
	}
	return edit(filepath.Join(l.ESP, GrubEnvironment), grubOnceKey, "")
}

// Choose returns the content of a loader's file, as a medium has it, with another entry as the default and none to try.
func Choose(name string, content []byte, entry string) ([]byte, error) {
	if name == LoaderConf {
		return replace(content, loaderKey, entry+suffix)
	}
	once, err := replace(content, grubOnceKey, "")
	if err != nil {
		return nil, err
	}
	return replace(once, grubKey, entry)
}

func edit(name, key, value string) error {
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	content, err := read(name)
	if err != nil {
		return err
	}
	changed, err := replace(content, key, value)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	if _, err := file.WriteAt(changed[:sectorBytes], 0); err != nil {
		return err
	}
	return file.Sync()
}

func read(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() < sectorBytes || info.Size() > maxBytes {
		return nil, fmt.Errorf("%s of %d bytes is not what this system writes", filepath.Base(name), info.Size())
	}
	return os.ReadFile(name)
}

func lookUp(content []byte, key string) (string, bool) {
	for line := range strings.Lines(string(content)) {
		if value, found := strings.CutPrefix(line, key); found {
			return strings.TrimRight(value, "\n"), true
		}
	}
	return "", false
}

// replace keeps the length: a comment fills what a shorter line leaves.
func replace(content []byte, key, value string) ([]byte, error) {
	if strings.ContainsAny(value, "\n#") {
		return nil, fmt.Errorf("%q cannot stand in a line", value)
	}
	found := false
	var kept strings.Builder
	for line := range strings.Lines(string(content)) {
		switch {
		case strings.HasPrefix(line, key):
			kept.WriteString(key + value + "\n")
			found = true
		case strings.Trim(line, "#\n") != "":
			kept.WriteString(line)
		}
	}
	if !found || kept.Len() > sectorBytes || kept.Len() > len(content) {
		return nil, fmt.Errorf("no line %q that could be changed", key)
	}
	return []byte(kept.String() + strings.Repeat("#", len(content)-kept.Len())), nil
}
