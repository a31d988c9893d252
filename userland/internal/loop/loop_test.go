// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestConfigIsReadOnlyAndClearsItself(t *testing.T) {
	tests := []struct {
		direct bool
		flags  uint32
	}{
		{false, 0x01 | 0x04},
		{true, 0x01 | 0x04 | 0x10},
	}
	for _, tc := range tests {
		c := configOf(7, tc.direct)
		if c.Fd != 7 || c.Size != 4096 || c.Info.Flags != tc.flags {
			t.Errorf("direct %v: fd %d, block size %d, flags %#x", tc.direct, c.Fd, c.Size, c.Info.Flags)
		}
	}
}

func TestConfigHasTheSizeOfTheKernel(t *testing.T) {
	if size := unsafe.Sizeof(unix.LoopConfig{}); size != 304 { // 4 + 4 + 232 + 8 * 8
		t.Errorf("struct loop_config has %d bytes", size)
	}
}
