// SPDX-License-Identifier: Apache-2.0

package partition

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// GUID is in the order of the text form; on disk the first three groups are little-endian.
type GUID [16]byte

// Types of partitions. META, STATE and EPHEMERAL are told by their names, as Talos does it, and have the generic type.
var (
	TypeESP       = mustGUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
	TypeBIOSBoot  = mustGUID("21686148-6449-6e6f-744e-656564454649")
	TypeLinuxData = mustGUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
)

// NewGUID is a random one (RFC 9562, version 4).
func NewGUID() GUID {
	var g GUID
	_, _ = rand.Read(g[:]) // never fails (Go 1.24)
	g[6] = g[6]&0x0f | 0x40
	g[8] = g[8]&0x3f | 0x80
	return g
}

// ParseGUID reads the text form, in either case.
func ParseGUID(text string) (GUID, error) {
	var g GUID
	digits := strings.ReplaceAll(text, "-", "")
	if len(text) != 36 || len(digits) != 32 {
		return g, fmt.Errorf("%q is no GUID", text)
	}
	if _, err := hex.Decode(g[:], []byte(digits)); err != nil {
		return g, fmt.Errorf("%q is no GUID", text)
	}
	return g, nil
}

// String is the text form in lower case.
func (g GUID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", g[:4], g[4:6], g[6:8], g[8:10], g[10:])
}

func mustGUID(text string) GUID {
	g, err := ParseGUID(text)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return g
}

func (g GUID) put(field []byte) {
	binary.LittleEndian.PutUint32(field, binary.BigEndian.Uint32(g[:]))
	binary.LittleEndian.PutUint16(field[4:], binary.BigEndian.Uint16(g[4:]))
	binary.LittleEndian.PutUint16(field[6:], binary.BigEndian.Uint16(g[6:]))
	copy(field[8:16], g[8:])
}

func guidAt(field []byte) GUID {
	var g GUID
	binary.BigEndian.PutUint32(g[:], binary.LittleEndian.Uint32(field))
	binary.BigEndian.PutUint16(g[4:], binary.LittleEndian.Uint16(field[4:]))
	binary.BigEndian.PutUint16(g[6:], binary.LittleEndian.Uint16(field[6:]))
	copy(g[8:], field[8:16])
	return g
}
