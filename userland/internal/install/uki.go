// SPDX-License-Identifier: Apache-2.0

package install

import (
	"debug/pe"
	"errors"
	"fmt"
	"io"
	"strings"
)

const maxCommandLine = 64 << 10

// commandLineOf returns the section .cmdline of a UKI. Spec: UAPI.5 unified kernel image.
func commandLineOf(uki io.ReaderAt) (string, error) {
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
