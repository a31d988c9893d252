// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"io/fs"

	"golang.org/x/sys/unix"
)

// fileMode turns the mode of stat(2) into that of Go, which is what the protocol carries.
func fileMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	for _, bit := range []struct {
		raw uint32
		bit fs.FileMode
	}{{unix.S_ISUID, fs.ModeSetuid}, {unix.S_ISGID, fs.ModeSetgid}, {unix.S_ISVTX, fs.ModeSticky}} {
		if mode&bit.raw != 0 {
			m |= bit.bit
		}
	}
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return m
	case unix.S_IFDIR:
		return m | fs.ModeDir
	case unix.S_IFLNK:
		return m | fs.ModeSymlink
	case unix.S_IFIFO:
		return m | fs.ModeNamedPipe
	case unix.S_IFSOCK:
		return m | fs.ModeSocket
	case unix.S_IFBLK:
		return m | fs.ModeDevice
	case unix.S_IFCHR:
		return m | fs.ModeDevice | fs.ModeCharDevice
	default:
		return m | fs.ModeIrregular
	}
}
