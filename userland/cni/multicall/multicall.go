// SPDX-License-Identifier: Apache-2.0

// Package multicall runs one of several programs that share a file, by the name that the file was called by.
package multicall

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// exitUnknown is what shells answer for a command that does not exist.
const exitUnknown = 127

// Run starts the program that os.Args[0] names. For any other name it prints the names that there are and ends the
// process with 127.
func Run(programs map[string]func()) {
	program := pick(programs, os.Args, os.Stderr)
	if program == nil {
		os.Exit(exitUnknown)
	}
	program()
}

func pick(programs map[string]func(), args []string, out io.Writer) func() {
	name := ""
	if len(args) > 0 {
		name = filepath.Base(args[0])
	}
	if program, found := programs[name]; found {
		return program
	}
	names := strings.Join(slices.Sorted(maps.Keys(programs)), ", ")
	fmt.Fprintf(out, "called as %q: expected one of %s\n", name, names)
	return nil
}
