// SPDX-License-Identifier: Apache-2.0

package cmdline

import (
	"slices"
	"strings"
	"testing"
	"time"
)

var hash = strings.Repeat("0123456789abcdef", 4)

func good(extra string) string {
	text := "dodeka.root=" + hash + " dodeka.root.blocks=25 dodeka.platform=metal dodeka.version=1.2.3 console=tty0 console=ttyS0"
	return text + extra
}

func TestParseReadsEveryKey(t *testing.T) {
	c, err := Parse("BOOT_IMAGE=(esp)1725+22924 " + good(" dodeka.exit=poweroff") + "\n")
	if err != nil {
		t.Fatal(err)
	}
	want := Cmdline{Text: good(" dodeka.exit=poweroff"), RootHash: hash, RootBlocks: 25, Platform: "metal", Version: "1.2.3", PowerOffWhenReady: true, Trial: 10 * time.Minute}
	if c != want {
		t.Errorf("got %+v, want %+v", c, want)
	}
	if c.RootImageName() != hash+".root" {
		t.Errorf("image name %q", c.RootImageName())
	}
}

func TestParseReadsConfigurationKeys(t *testing.T) {
	tests := []struct {
		extra, url string
		open       bool
	}{
		{"", "", false},
		{" dodeka.config=https://h/a?u=${uuid}", "https://h/a?u=${uuid}", false},
		{" talos.config=metal-iso dodeka.maintenance=open", "metal-iso", true},
	}
	for _, tc := range tests {
		c, err := Parse(good(tc.extra))
		if err != nil || c.ConfigURL != tc.url || c.OpenMaintenance != tc.open {
			t.Errorf("%q: got %+v, %v", tc.extra, c, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"missing root", strings.Replace(good(""), "dodeka.root=", "x=", 1), "dodeka.root is missing"},
		{"short hash", strings.Replace(good(""), hash, hash[1:], 1), "64 lower-case hex digits"},
		{"upper-case hash", strings.Replace(good(""), hash, strings.ToUpper(hash), 1), "64 lower-case hex digits"},
		{"zero blocks", strings.Replace(good(""), "blocks=25", "blocks=0", 1), "number of 4096-byte blocks"},
		{"signed blocks", strings.Replace(good(""), "blocks=25", "blocks=+25", 1), "number of 4096-byte blocks"},
		{"too many blocks", strings.Replace(good(""), "blocks=25", "blocks=4294967297", 1), "number of 4096-byte blocks"},
		{"version with a slash", strings.Replace(good(""), "1.2.3", "1/2", 1), "expected 1 to 64 of the characters"},
		{"empty platform", strings.Replace(good(""), "metal", "", 1), "expected 1 to 64 of the characters"},
		{"root twice", good(" dodeka.root=" + hash), "dodeka.root is given 2 times"},
		{"unknown key", good(" dodeka.rot=1"), `"dodeka.rot" is not a known key`},
		{"unknown exit", good(" dodeka.exit=halt"), `expected "poweroff"`},
		{"a trial that is too short", good(" dodeka.trial=9"), "expected 10 to 86400 seconds"},
		{"a trial without a number", good(" dodeka.trial=10m"), "expected 10 to 86400 seconds"},
		{"unknown maintenance", good(" dodeka.maintenance=closed"), `expected "open" or "code"`},
		{"empty URL", good(" dodeka.config="), "expected 1 to 2048 bytes"},
		{"two URLs", good(" dodeka.config=http://a talos.config=http://b"), "not both"},
		{"URL with a space", good(` dodeka.config="http://a b"`), "printable characters"},
		{"long URL", good(" talos.config=http://" + strings.Repeat("a", 2048)), "printable characters"},
		{"key after the end of kernel arguments", strings.Replace(good(""), "dodeka.version", "-- dodeka.version", 1), "dodeka.version is missing"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := Parse(tc.text); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %v, want %q", err, tc.want)
			}
		})
	}
}

func TestDigestIsTheSameForEveryBootLoader(t *testing.T) {
	plain, _ := Parse(good(""))
	for _, text := range []string{good("\n"), "BOOT_IMAGE=/x " + good(" \n"), "  " + good("\x00")} {
		c, err := Parse(text)
		if err != nil || c.Digest() != plain.Digest() {
			t.Errorf("%q: digest %s, error %v", text, c.Digest(), err)
		}
	}
	if got := (Cmdline{Text: "abc"}).Digest(); got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("digest of abc is %s", got)
	}
}

func TestWordsSplitsOutsideQuotes(t *testing.T) {
	tests := []struct {
		text string
		want []string
	}{
		{`a=1  b="x y"	c`, []string{"a=1", "b=x y", "c"}},
		{`"a b"=1`, []string{"a b=1"}},
		{`a -- b`, []string{"a"}},
		{`open="never closed x`, []string{"open=never closed x"}},
		{``, nil},
	}
	for _, tc := range tests {
		if got := splitWords(tc.text); !slices.Equal(got, tc.want) {
			t.Errorf("%q: got %q, want %q", tc.text, got, tc.want)
		}
	}
}

func TestRecoveryOf(t *testing.T) {
	tests := []struct {
		name, text string
		want       Recovery
	}{
		{"nothing said", "", Recovery{Delay: time.Minute}},
		{"panic given", "panic=7", Recovery{Delay: 7 * time.Second}},
		{"last panic wins", "panic=7 panic=9", Recovery{Delay: 9 * time.Second}},
		{"panic without reboot", "panic=0", Recovery{Delay: time.Minute}},
		{"panic at once", "panic=-1", Recovery{Delay: time.Minute}},
		{"automated boot", "panic=7 dodeka.exit=poweroff", Recovery{PowerOff: true}},
	}
	for _, tc := range tests {
		if got := RecoveryOf(tc.text); got != tc.want {
			t.Errorf("%s: got %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(good(""))
	f.Add(`BOOT_IMAGE="a b" -- "`)
	f.Fuzz(func(t *testing.T, text string) {
		RecoveryOf(text)
		c, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(c.Text)
		if err != nil && !strings.HasPrefix(c.Text, "BOOT_IMAGE=") {
			t.Fatalf("accepted %q, refused its own text %q: %v", text, c.Text, err)
		}
		if err == nil && again.RootHash != c.RootHash {
			t.Fatalf("root hash changed from %s to %s", c.RootHash, again.RootHash)
		}
		if len(c.RootHash) != 64 || c.RootBlocks == 0 || strings.ContainsAny(c.Version, " \n\x1b") {
			t.Fatalf("accepted %+v", c)
		}
	})
}
