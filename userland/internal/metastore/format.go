// SPDX-License-Identifier: Apache-2.0

package metastore

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// One copy, big-endian: magic (4 bytes), then per key tag (4), length (4) and value, then zeros, SHA-256 (32) of the copy
// with this field as zeros, closing magic (4). A tag of 0 ends the list. Compatible with META of Talos.
const (
	copyBytes    = 256 << 10
	copies       = 2
	openingMagic = 0x5a4b3c2d
	closingMagic = 0xa5b4c3d2
	recordHeader = 8
	sumAt        = copyBytes - 36
	closingAt    = copyBytes - 4
	dataAt       = 4
	roomForData  = sumAt - dataAt
)

// ErrFull is the refusal of a value that does not fit beside the others.
var ErrFull = errors.New("META is full")

type values map[uint8]string

// encode writes the keys in order, so that equal content gives equal bytes.
func (v values) encode() ([]byte, error) {
	block := make([]byte, copyBytes)
	be := binary.BigEndian
	be.PutUint32(block, openingMagic)
	be.PutUint32(block[closingAt:], closingMagic)
	data := block[dataAt:sumAt]
	for _, tag := range slices.Sorted(maps.Keys(v)) {
		value := v[tag]
		if len(value)+recordHeader > len(data) {
			return nil, fmt.Errorf("%w: key %#x of %d bytes does not fit into %d", ErrFull, tag, len(value), roomForData)
		}
		be.PutUint32(data, uint32(tag))
		be.PutUint32(data[4:], uint32(len(value)))
		copy(data[recordHeader:], value)
		data = data[recordHeader+len(value):]
	}
	sum := sha256.Sum256(block)
	copy(block[sumAt:], sum[:])
	return block, nil
}

// decode refuses a copy that is not whole, and keys that only a later format could mean.
func decode(block []byte) (values, error) {
	be := binary.BigEndian
	if len(block) != copyBytes || be.Uint32(block) != openingMagic || be.Uint32(block[closingAt:]) != closingMagic {
		return nil, errors.New("no META")
	}
	unsummed := slices.Clone(block)
	clear(unsummed[sumAt:closingAt])
	if sum := sha256.Sum256(unsummed); string(sum[:]) != string(block[sumAt:closingAt]) {
		return nil, errors.New("wrong checksum")
	}
	found := values{}
	for data := block[dataAt:sumAt]; len(data) >= recordHeader; {
		tag, length := be.Uint32(data), be.Uint32(data[4:])
		if tag == 0 {
			break
		}
		if tag > 0xff || uint64(length) > uint64(len(data)-recordHeader) {
			return nil, fmt.Errorf("key %#x of %d bytes", tag, length)
		}
		found[uint8(tag)] = string(data[recordHeader : recordHeader+length])
		data = data[recordHeader+length:]
	}
	return found, nil
}
