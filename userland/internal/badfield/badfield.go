// SPDX-License-Identifier: Apache-2.0

// Package badfield is how parts of the OS say which field of a configuration they cannot carry out.
package badfield

// Error is about one field.
type Error struct {
	Path string // machine.pods[0].spec, registries.mirrors["docker.io"].endpoints[0]
	Text string // what was expected
}

func (e *Error) Error() string { return e.Path + ": " + e.Text }

// At makes an *Error.
func At(path, text string) error { return &Error{Path: path, Text: text} }
