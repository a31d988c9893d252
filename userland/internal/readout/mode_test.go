// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFileModeIsThatOfGo(t *testing.T) {
	for _, name := range []string{"/dev/null", "/proc", "/proc/self", "/tmp", "/proc/self/stat", "/dev/fd"} {
		info, err := os.Lstat(name)
		if err != nil {
			continue // not every host has each
		}
		if got := fileMode(info.Sys().(*syscall.Stat_t).Mode); got != info.Mode() {
			t.Errorf("%s: found %v, expected %v", name, got, info.Mode())
		}
	}
	for raw, want := range map[uint32]os.FileMode{
		unix.S_IFBLK | 0o600:                os.ModeDevice | 0o600,
		unix.S_IFIFO | 0o600:                os.ModeNamedPipe | 0o600,
		unix.S_IFSOCK:                       os.ModeSocket,
		unix.S_IFREG | unix.S_ISGID | 0o755: os.ModeSetgid | 0o755,
		unix.S_IFDIR | unix.S_ISVTX | 0o777: os.ModeDir | os.ModeSticky | 0o777,
		0:                                   os.ModeIrregular,
	} {
		if got := fileMode(raw); got != want {
			t.Errorf("%o: found %v, expected %v", raw, got, want)
		}
	}
}
