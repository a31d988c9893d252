// SPDX-License-Identifier: Apache-2.0

package maintenance

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestStrip(t *testing.T) {
	tests := []struct{ name, data, code, rest string }{
		{"first line", "# dodeka-code: ABCD-1234\nversion: v1alpha1\n", "ABCD-1234", "version: v1alpha1\n"},
		{"last line without end", "a: 1\n#dodeka-code:ABCD-1234", "ABCD-1234", "a: 1\n"},
		{"carriage return", "a: 1\r\n# dodeka-code: ABCD-1234\r\nb: 2\r\n", "ABCD-1234", "a: 1\r\nb: 2\r\n"},
		{"byte order mark", "\ufeff# dodeka-code: X\na: 1\n", "X", "a: 1\n"},
		{"between documents", "a: 1\n---\n# dodeka-code: X\nb: 1\n", "X", "a: 1\n---\nb: 1\n"},
		{"no code", "a: 1\n", "", "a: 1\n"},
		{"empty code", "# dodeka-code:\na: 1\n", "", "a: 1\n"},
		{"inside a value", "a: |\n  # dodeka-code: X\n", "", "a: |\n  # dodeka-code: X\n"},
		{"after a value", "a: 1 # dodeka-code: X\n", "", "a: 1 # dodeka-code: X\n"},
		{"twice", "# dodeka-code: X\n# dodeka-code: X\na: 1\n", "more than one code", "a: 1\n"},
		{"empty", "", "", ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			code, rest := Strip([]byte(tc.data))
			if code != tc.code || string(rest) != tc.rest {
				t.Errorf("got %q and %q", code, rest)
			}
		})
	}
}

func document(code string) []byte { return []byte("# dodeka-code: " + code + "\nversion: v1alpha1\n") }

func kindOf(err error) Kind {
	if refusal := (*Refusal)(nil); errors.As(err, &refusal) {
		return refusal.Kind
	}
	return -1
}

func TestCodeIsReadable(t *testing.T) {
	shape := regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$`)
	seen := map[string]bool{}
	for range 2000 {
		code := newCode()
		if !shape.MatchString(code) || seen[code] {
			t.Fatalf("code %q", code)
		}
		seen[code] = true
	}
}

func TestCodeAdmitsOnce(t *testing.T) {
	var shown []string
	gate := NewGate(false, func(code string) { shown = append(shown, code) })
	code := gate.Code()
	spelled := strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(code), "0", "o"), "1", "l")
	rest, err := gate.Admit(document(spelled))
	if err != nil || string(rest) != "version: v1alpha1\n" {
		t.Fatalf("got %q, %v", rest, err)
	}
	if len(shown) != 2 || shown[0] != code || shown[1] != gate.Code() || shown[1] == code {
		t.Errorf("shown %q", shown)
	}
	if _, err := gate.Admit(document(code)); kindOf(err) != CodeWrong {
		t.Errorf("a used code: %v", err)
	}
}

func TestAdmitRefuses(t *testing.T) {
	gate := NewGate(false, nil)
	tests := []struct {
		name string
		data string
		kind Kind
	}{
		{"no code", "version: v1alpha1\n", CodeMissing},
		{"nothing", "", CodeMissing},
		{"wrong", "# dodeka-code: UUUU-UUUU\n", CodeWrong},
		{"prefix", "# dodeka-code: " + gate.Code()[:8] + "\n", CodeWrong},
		{"right one among others", "# dodeka-code: " + gate.Code() + "\n# dodeka-code: A\n", CodeWrong},
	}
	for _, tc := range tests {
		rest, err := gate.Admit([]byte(tc.data))
		if rest != nil || kindOf(err) != tc.kind {
			t.Errorf("%s: %q, %v", tc.name, rest, err)
		}
		if status.Code(err) != codes.PermissionDenied || strings.Contains(err.Error(), gate.Code()) {
			t.Errorf("%s: status of %v", tc.name, err)
		}
	}
}

func TestWrongTriesChangeTheCodeAndDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := NewGate(false, nil)
		for round, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
			before := gate.Code()
			for range maxTries {
				if _, err := gate.Admit(document("UUUU")); kindOf(err) != CodeWrong {
					t.Fatalf("round %d: %v", round, err)
				}
			}
			if gate.Code() == before {
				t.Fatalf("round %d: the code stays", round)
			}
			_, err := gate.Admit(document(gate.Code()))
			refusal := (*Refusal)(nil)
			if !errors.As(err, &refusal) || refusal.Kind != TooManyTries || refusal.After != want*time.Second {
				t.Fatalf("round %d: %v", round, err)
			}
			if status.Code(err) != codes.ResourceExhausted {
				t.Errorf("status %v", status.Code(err))
			}
			time.Sleep(want * time.Second)
		}
		if _, err := gate.Admit(document(gate.Code())); err != nil {
			t.Errorf("after the delay: %v", err)
		}
		for range maxTries {
			_, _ = gate.Admit(document("UUUU"))
		}
		if time.Sleep(minDelay); kindOf(func() error { _, err := gate.Admit(document("U")); return err }()) != CodeWrong {
			t.Error("the delay did not start over after a right code")
		}
	})
}

func TestOpenGateAdmitsAll(t *testing.T) {
	gate := NewGate(true, func(code string) { t.Errorf("an open gate shows %q", code) })
	for _, data := range []string{"a: 1\n", "# dodeka-code: X\na: 1\n"} {
		if rest, err := gate.Admit([]byte(data)); err != nil || string(rest) != "a: 1\n" {
			t.Errorf("%q: %q, %v", data, rest, err)
		}
	}
	if gate.Code() != "" {
		t.Error("an open gate has a code")
	}
}

func TestOnlyOneOfManyGetsThrough(t *testing.T) {
	gate := NewGate(false, nil)
	data := document(gate.Code())
	var admitted sync.Map
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			if _, err := gate.Admit(data); err == nil {
				admitted.Store(i, true)
			}
		})
	}
	group.Wait()
	count := 0
	admitted.Range(func(any, any) bool { count++; return true })
	if count != 1 {
		t.Errorf("%d callers used one code", count)
	}
}

func FuzzStrip(f *testing.F) {
	f.Add([]byte("# dodeka-code: ABCD-1234\na: 1\n"))
	f.Add([]byte("\ufeff#\tdodeka-code:\r\n#dodeka-code:"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, rest := Strip(data)
		if code, again := Strip(rest); code != "" || !bytes.Equal(again, rest) {
			t.Fatalf("a code line is left: %q in %q", code, rest)
		}
	})
}
