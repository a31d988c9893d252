// SPDX-License-Identifier: Apache-2.0

// Package testuki makes UKIs for tests: they hold a command line and start nothing.
package testuki

import "encoding/binary"

// Make returns the least PE file for amd64 with a section .cmdline.
func Make(commandLine string) []byte {
	le := binary.LittleEndian
	out := make([]byte, 1024)
	copy(out, "MZ")
	le.PutUint32(out[0x3c:], 0x40)
	copy(out[0x40:], "PE\x00\x00")
	le.PutUint16(out[0x44:], 0x8664) // machine
	le.PutUint16(out[0x46:], 1)      // sections
	section := out[0x58:]
	copy(section, ".cmdline")
	le.PutUint32(section[8:], uint32(len(commandLine)+1))
	le.PutUint32(section[16:], 512)
	le.PutUint32(section[20:], 512)
	copy(out[512:], commandLine)
	return out
}
