// SPDX-License-Identifier: Apache-2.0

package maintenance

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"strings"
)

const (
	// alphabet is Crockford's base 32: no I, L, O or U, so that a code read from a screen has one spelling.
	alphabet   = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	codeLength = 8 // 40 bits, without the hyphen
	marker     = "dodeka-code:"
)

// newCode makes a code as it is shown: XXXX-XXXX. 256 is a multiple of 32, so taking five bits is not biased.
func newCode() string {
	random := make([]byte, codeLength)
	_, _ = rand.Read(random) // never fails: the runtime ends the process instead
	for i, b := range random {
		random[i] = alphabet[b%byte(len(alphabet))]
	}
	return string(random[:4]) + "-" + string(random[4:])
}

// Strip takes the comment line "# dodeka-code: XXXX-XXXX" out of a document. The line begins in the first column,
// where it cannot be part of a value. Without such a line code is empty and rest is data itself. Of several lines all
// are taken out and code is what no code can be, so that one document is one try.
func Strip(data []byte) (code string, rest []byte) {
	if !bytes.Contains(data, []byte(marker)) {
		return "", data
	}
	found := 0
	rest = make([]byte, 0, len(data))
	for line := range bytes.Lines(data) {
		if text, is := codeLine(line); is {
			code = text
			found++
			continue
		}
		rest = append(rest, line...)
	}
	switch found {
	case 0:
		return "", data
	case 1:
		return code, rest
	default:
		return "more than one code", rest
	}
}

func codeLine(line []byte) (code string, is bool) {
	text, comment := bytes.CutPrefix(bytes.TrimPrefix(line, []byte("\ufeff")), []byte("#"))
	if !comment {
		return "", false
	}
	text, is = bytes.CutPrefix(bytes.TrimLeft(text, " \t"), []byte(marker))
	return string(bytes.TrimSpace(text)), is
}

// equal compares a typed code with the true one in a time that does not depend on where they differ. Case, hyphen and
// the letters that Crockford reads as digits do not matter.
func equal(typed, want string) bool {
	return subtle.ConstantTimeCompare([]byte(plain(typed)), []byte(plain(want))) == 1
}

var spelling = strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1")

func plain(code string) string { return spelling.Replace(strings.ToUpper(code)) }
