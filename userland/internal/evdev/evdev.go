// SPDX-License-Identifier: Apache-2.0

// Package evdev watches input devices for the power button.
// Spec: Linux include/uapi/linux/input.h (struct input_event, 64-bit), Documentation/input/event-codes.rst.
package evdev

import (
	"encoding/binary"
	"io"
	"strconv"
	"strings"
)

const (
	eventBytes = 24
	typeKey    = 1   // EV_KEY
	codePower  = 116 // KEY_POWER
	pressed    = 1   // 0 is released, 2 is repeated
)

// Event is one change of an input device.
type Event struct {
	Type  uint16
	Code  uint16
	Value int32
}

// IsPowerPress tells whether the power button went down.
func (e Event) IsPowerPress() bool {
	return e.Type == typeKey && e.Code == codePower && e.Value == pressed
}

// Decode reads one struct input_event of 24 bytes.
func Decode(b [eventBytes]byte) Event {
	le := binary.LittleEndian
	return Event{ //                         0..15   time: seconds and microseconds
		Type:  le.Uint16(b[16:]),        //  16..17
		Code:  le.Uint16(b[18:]),        //  18..19
		Value: int32(le.Uint32(b[20:])), //  20..23
	}
}

// WatchPower calls press for every press of the power button until the device goes away.
func WatchPower(device io.Reader, press func()) error {
	var b [eventBytes]byte
	for {
		if _, err := io.ReadFull(device, b[:]); err != nil {
			return err
		}
		if Decode(b).IsPowerPress() {
			press()
		}
	}
}

// HasPower reads the attribute capabilities/key of an input device: words of 64 bits in hex, the highest first.
func HasPower(capabilities string) bool {
	words := strings.Fields(capabilities)
	index := len(words) - 1 - codePower/64
	if index < 0 {
		return false
	}
	word, err := strconv.ParseUint(words[index], 16, 64)
	return err == nil && word>>(codePower%64)&1 == 1
}
