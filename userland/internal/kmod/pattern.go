// SPDX-License-Identifier: Apache-2.0

package kmod

import "strings"

// canonical writes "-" as "_" outside brackets: module names and aliases do not tell the two apart (kmod's rule).
func canonical(name string) string {
	if !strings.Contains(name, "-") {
		return name
	}
	out := []byte(name)
	inside := false
	for i, ch := range out {
		switch {
		case ch == '[':
			inside = true
		case ch == ']':
			inside = false
		case ch == '-' && !inside:
			out[i] = '_'
		}
	}
	return string(out)
}

// match is fnmatch(3) without flags: * ? [set] [!set] and backslash. It runs in at most len(pattern) * len(text) steps
// whatever the pattern, since on a mismatch only the last star is tried again.
func match(pattern, text string) bool {
	p, t := 0, 0
	star, retry := -1, 0
	for t < len(text) {
		if p < len(pattern) && pattern[p] == '*' {
			star, retry = p, t
			p++
			continue
		}
		if n, ok := matchOne(pattern[p:], text[t]); ok {
			p += n
			t++
			continue
		}
		if star < 0 {
			return false
		}
		retry++
		p, t = star+1, retry
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// matchOne compares one character and tells how much of the pattern it used.
func matchOne(pattern string, ch byte) (used int, ok bool) {
	if pattern == "" {
		return 0, false
	}
	switch pattern[0] {
	case '?':
		return 1, true
	case '[':
		return matchSet(pattern, ch)
	case '\\':
		if len(pattern) > 1 {
			return 2, pattern[1] == ch
		}
	}
	return 1, pattern[0] == ch
}

// matchSet reads "[a-z0]" or "[!a-z0]". A bracket that is never closed stands for itself.
func matchSet(pattern string, ch byte) (used int, ok bool) {
	i := 1
	negated := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negated {
		i++
	}
	found := false
	for first := true; i < len(pattern); first = false {
		if pattern[i] == ']' && !first {
			return i + 1, found != negated
		}
		low, high := pattern[i], pattern[i]
		if i+2 < len(pattern) && pattern[i+1] == '-' && pattern[i+2] != ']' {
			high = pattern[i+2]
			i += 2
		}
		found = found || (low <= ch && ch <= high)
		i++
	}
	return 1, ch == '['
}
