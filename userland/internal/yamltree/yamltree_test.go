// SPDX-License-Identifier: Apache-2.0

package yamltree

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// aliasBomb doubles ten values again and again: a few hundred bytes that stand for 10^levels values.
func aliasBomb(levels int) string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < levels; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	return b.String()
}

func TestParseRefuses(t *testing.T) {
	tests := []struct {
		name, text string
		complex    bool
	}{
		{"alias bomb", aliasBomb(9), true},
		{"flow too deep", strings.Repeat("[", 200) + strings.Repeat("]", 200), true},
		{"flow far too deep", strings.Repeat("[", 100_000), false},
		{"too many values", "a: [" + strings.Repeat("1,", MaxMarks) + "]", true},
		{"too many lines", strings.Repeat("a: 1\n", MaxMarks+1), true},
		{"too many documents", strings.Repeat("---\n", MaxDocuments+2), true},
		{"deep by aliases", func() string {
			text := "a0: &a0 [x]\n"
			for i := 1; i <= MaxDepth; i++ {
				text += fmt.Sprintf("a%d: &a%d [*a%d]\n", i, i, i-1)
			}
			return text
		}(), true},
		{"circle", "a: &a [*a]", true},
		{"unknown anchor", "a: *b", false},
		{"broken quotes", `a: "b`, false},
		{"control byte", "a: \x00", false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := Parse([]byte(tc.text)); err == nil || errors.Is(err, ErrTooComplex) != tc.complex {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestParseKeepsDocumentsInOrder(t *testing.T) {
	roots, err := Parse([]byte("a: 1\n---\n# nothing\n---\nnull\n---\nb: &x {c: d}\ne: *x\n"))
	if err != nil || len(roots) != 2 {
		t.Fatalf("%d documents, %v", len(roots), err)
	}
	if got := Value(roots[0], "a"); got == nil || got.Value != "1" {
		t.Errorf("a is %v", got)
	}
	if got := Value(Value(roots[1], "e"), "c"); got == nil || got.Value != "d" {
		t.Errorf("an alias is not followed: %v", got)
	}
	if Value(roots[0], "z") != nil || Value(Value(roots[0], "a"), "z") != nil || Value(nil, "z") != nil {
		t.Error("a missing key has a value")
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"a: 1", aliasBomb(4), "- &a [*a]", "---\n---\n? [a]\n: b", "<<: *x", ":   \xea"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		roots, err := Parse(data)
		if err != nil && roots != nil {
			t.Fatal("both documents and an error")
		}
		for _, root := range roots {
			Value(root, "kind")
		}
	})
}
