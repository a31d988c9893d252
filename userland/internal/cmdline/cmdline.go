// SPDX-License-Identifier: Apache-2.0

// Package cmdline reads the kernel command line, the only input that boot trusts: it is signed as part of the UKI.
// Spec: Linux Documentation/admin-guide/kernel-parameters.rst (quoting, "--"), and the table of keys below.
// Left out: a quote inside a word that is escaped with a backslash; the kernel has no such escape either.
package cmdline

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	rootHashDigits = 64      // a SHA-256 in lower-case hex
	maxRootBlocks  = 1 << 32 // 16 TiB of 4096-byte blocks; keeps every later product inside 64 bits
	maxWordLength  = 64      // of a version or a platform
	maxURLLength   = 2048

	usualTrial         = 10 * time.Minute
	minTrial, maxTrial = 10, 86_400 // seconds
)

// Cmdline is a command line that was checked key by key.
type Cmdline struct {
	Text              string // as the factory wrote it: no boot loader prefix, no surrounding white space
	RootHash          string // 64 lower-case hex digits: the dm-verity root hash of the root image
	RootBlocks        uint64 // data blocks of 4096 bytes in the root image, at least 1
	Platform          string
	Version           string
	PowerOffWhenReady bool   // dodeka.exit=poweroff: automated boots end by themselves
	ConfigURL         string // dodeka.config or talos.config: where the machine configuration is; empty without
	OpenMaintenance   bool   // dodeka.maintenance=open: the first configuration needs no code from the console
	// Trial is how long a version that is tried may take until the machine is well: dodeka.trial=, in seconds.
	Trial time.Duration
}

// Digest is the SHA-256 of Text in hex. It equals the digest of the UKI's .cmdline section without its terminator.
func (c Cmdline) Digest() string {
	sum := sha256.Sum256([]byte(c.Text))
	return hex.EncodeToString(sum[:])
}

// RootImageName is the file name under which the root image lies in the initramfs or on a medium.
func (c Cmdline) RootImageName() string { return c.RootHash + ".root" }

type key struct {
	name     string
	required bool
	set      func(*Cmdline, string) error
}

// keys is closed: a dodeka.* key that is not here stops the boot, as it would otherwise silently not hold.
var keys = []key{
	{"dodeka.root", true, setRootHash},
	{"dodeka.root.blocks", true, setRootBlocks},
	{"dodeka.platform", true, func(c *Cmdline, v string) error { return setWord(&c.Platform, v) }},
	{"dodeka.version", true, func(c *Cmdline, v string) error { return setWord(&c.Version, v) }},
	{"dodeka.exit", false, setExit},
	{"dodeka.maintenance", false, setMaintenance},
	{"dodeka.trial", false, setTrial},
	{"dodeka.config", false, setConfigURL},
	{"talos.config", false, setConfigURL}, // the name that documentation and tools for this configuration know
}

// Parse checks the text of /proc/cmdline. The error names the key, what was found and what was expected.
func Parse(text string) (Cmdline, error) {
	c := Cmdline{Text: Normalise(text), Trial: usualTrial}
	words := splitWords(c.Text)
	known := map[string]bool{}
	for _, k := range keys {
		known[k.name] = true
		values := valuesOf(words, k.name)
		switch {
		case len(values) > 1:
			return Cmdline{}, fmt.Errorf("%s is given %d times, expected once", k.name, len(values))
		case len(values) == 0 && k.required:
			return Cmdline{}, fmt.Errorf("%s is missing from the kernel command line", k.name)
		case len(values) == 1:
			if err := k.set(&c, values[0]); err != nil {
				return Cmdline{}, fmt.Errorf("%s=%q: %w", k.name, values[0], err)
			}
		}
	}
	for _, w := range words {
		if name, _, _ := strings.Cut(w, "="); strings.HasPrefix(name, "dodeka.") && !known[name] {
			return Cmdline{}, fmt.Errorf("%q is not a known key", name)
		}
	}
	return c, nil
}

// Normalise undoes what boot loaders add: GRUB puts BOOT_IMAGE=<file> first; the kernel ends the text with a newline.
func Normalise(text string) string {
	text = strings.Trim(text, " \t\r\n\x00")
	if strings.HasPrefix(text, "BOOT_IMAGE=") {
		_, text, _ = strings.Cut(text, " ")
	}
	return strings.Trim(text, " \t")
}

// splitWords splits at white space outside double quotes, drops the quotes, and ends at "--" (what follows is for init).
func splitWords(text string) []string {
	var words []string
	var word strings.Builder
	quoted, started := false, false
	flush := func() {
		if started {
			words = append(words, word.String())
		}
		word.Reset()
		started = false
	}
	for i := 0; i < len(text); i++ {
		switch ch := text[i]; {
		case ch == '"':
			quoted, started = !quoted, true
		case !quoted && (ch == ' ' || ch == '\t' || ch == '\n'):
			flush()
		default:
			word.WriteByte(ch)
			started = true
		}
	}
	flush()
	if end := slices.Index(words, "--"); end >= 0 {
		return words[:end]
	}
	return words
}

func valuesOf(words []string, name string) []string {
	var values []string
	for _, w := range words {
		if n, v, _ := strings.Cut(w, "="); n == name {
			values = append(values, v)
		}
	}
	return values
}

func setRootHash(c *Cmdline, v string) error {
	if len(v) != rootHashDigits || strings.Trim(v, "0123456789abcdef") != "" {
		return fmt.Errorf("expected %d lower-case hex digits", rootHashDigits)
	}
	c.RootHash = v
	return nil
}

func setRootBlocks(c *Cmdline, v string) error {
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil || n < 1 || n > maxRootBlocks || strconv.FormatUint(n, 10) != v {
		return fmt.Errorf("expected a number of 4096-byte blocks from 1 to %d", maxRootBlocks)
	}
	c.RootBlocks = n
	return nil
}

func setWord(field *string, v string) error {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+~_-"
	if v == "" || len(v) > maxWordLength || strings.Trim(v, allowed) != "" {
		return fmt.Errorf("expected 1 to %d of the characters a-z A-Z 0-9 . + ~ _ -", maxWordLength)
	}
	*field = v
	return nil
}

func setMaintenance(c *Cmdline, v string) error {
	if v != "open" && v != "code" {
		return fmt.Errorf(`expected "open" or "code"`)
	}
	c.OpenMaintenance = v == "open"
	return nil
}

// setConfigURL takes one URL: with both keys on the line it would depend on their order which one counts.
func setConfigURL(c *Cmdline, v string) error {
	if c.ConfigURL != "" {
		return fmt.Errorf("expected dodeka.config or talos.config, not both")
	}
	if v == "" || len(v) > maxURLLength || strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("expected 1 to %d bytes of printable characters", maxURLLength)
	}
	c.ConfigURL = v
	return nil
}

func setTrial(c *Cmdline, v string) error {
	n, err := strconv.ParseUint(v, 10, 32)
	if err != nil || n < minTrial || n > maxTrial {
		return fmt.Errorf("expected %d to %d seconds", minTrial, maxTrial)
	}
	c.Trial = time.Duration(n) * time.Second
	return nil
}

func setExit(c *Cmdline, v string) error {
	if v != "poweroff" {
		return fmt.Errorf(`expected "poweroff"`)
	}
	c.PowerOffWhenReady = true
	return nil
}
