// SPDX-License-Identifier: Apache-2.0

// Package ukifile reads what a unified kernel image says of itself.
package ukifile

import (
	"debug/pe"
	"errors"
	"fmt"
	"io"
	"strings"
)

const maxCommandLine = 64 << 10

// machines are processors as PE names them. Spec: Microsoft PE format, "Machine Types".
var machines = map[string]uint16{"amd64": pe.IMAGE_FILE_MACHINE_AMD64, "arm64": pe.IMAGE_FILE_MACHINE_ARM64}

// IsFor tells whether a UKI is for a processor, by its name in Go.
func IsFor(uki io.ReaderAt, architecture string) bool {
	image, err := pe.NewFile(uki)
	return err == nil && image.Machine == machines[architecture]
}

// CommandLine returns the section .cmdline of a UKI. Spec: UAPI.5 unified kernel image.
func CommandLine(uki io.ReaderAt) (string, error) {
	image, err := pe.NewFile(uki)
	if err != nil {
		return "", fmt.Errorf("no PE file: %w", err)
	}
	section := image.Section(".cmdline")
	if section == nil || section.VirtualSize > maxCommandLine || section.Size > 2*maxCommandLine {
		return "", errors.New("no command line section")
	}
	data, err := section.Data()
	if err != nil {
		return "", err
	}
	if int(section.VirtualSize) < len(data) {
		data = data[:section.VirtualSize]
	}
	return strings.TrimRight(string(data), "\x00"), nil
}
