// SPDX-License-Identifier: Apache-2.0

package partition

import (
	"bytes"
	"testing"
)

func TestGUID(t *testing.T) {
	const text = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
	g, err := ParseGUID("C12A7328-F81F-11D2-BA4B-00A0C93EC93B")
	if err != nil || g.String() != text {
		t.Fatalf("%s, %v", g, err)
	}
	disk := make([]byte, 16)
	g.put(disk)
	if want := []byte{0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b}; !bytes.Equal(disk[:10], want) {
		t.Errorf("on disk % x", disk)
	}
	if guidAt(disk) != g {
		t.Error("does not survive the disk")
	}
	for _, bad := range []string{"", text[1:], text + "0", "x12a7328-f81f-11d2-ba4b-00a0c93ec93b"} {
		if _, err := ParseGUID(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
