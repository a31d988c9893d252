// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"path/filepath"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"golang.org/x/sys/unix"
)

// Mounts is /proc/mounts with the size and free bytes of each, in the order of mounting. Both are 0 where the file
// system has none, for a file that is mounted over, and for a network file system: asking a server that is gone would
// hang whoever asks. Spec: fstab(5).
func Mounts(root Root) (*machine.MountsResponse, error) {
	table, err := readBounded(filepath.Join(root.Proc, "mounts"))
	if err != nil {
		return nil, asStatus(err)
	}
	answer := &machine.Mounts{}
	for line := range strings.Lines(string(table)) {
		if stat := mountStat(root, line); stat != nil {
			answer.Stats = append(answer.Stats, stat)
		}
	}
	return &machine.MountsResponse{Messages: []*machine.Mounts{answer}}, nil
}

func mountStat(root Root, line string) *machine.MountStat {
	fields := strings.Fields(line)
	if len(fields) < 3 {
		return nil
	}
	stat := &machine.MountStat{Filesystem: unescapeOctal(fields[0]), MountedOn: unescapeOctal(fields[1])}
	if answersFromAfar(fields[2]) {
		return stat
	}
	handle, err := openPath(root, stat.MountedOn)
	if err != nil {
		return stat
	}
	defer func() { _ = handle.Close() }()
	var space unix.Statfs_t
	if info, err := handle.Stat(); err != nil || !info.IsDir() || unix.Fstatfs(int(handle.Fd()), &space) != nil {
		return stat
	}
	stat.Size = uint64(space.Bsize) * space.Blocks
	stat.Available = uint64(space.Bsize) * space.Bavail
	return stat
}

func answersFromAfar(kind string) bool {
	switch kind {
	case "9p", "afs", "ceph", "cifs", "nfs", "nfs4", "smb3", "autofs", "virtiofs":
		return true
	}
	return kind == "fuse" || strings.HasPrefix(kind, "fuse.")
}

// unescapeOctal undoes what the kernel does to space, tab, newline, backslash and number sign: \040 and the like.
func unescapeOctal(field string) string {
	var out strings.Builder
	for i := 0; i < len(field); i++ {
		if code, ok := octal(field[i:]); ok {
			out.WriteByte(code)
			i += len(`\040`) - 1
			continue
		}
		out.WriteByte(field[i])
	}
	return out.String()
}

func octal(text string) (byte, bool) {
	if len(text) < 4 || text[0] != '\\' {
		return 0, false
	}
	code := 0
	for _, digit := range []byte(text[1:4]) {
		if digit < '0' || digit > '7' {
			return 0, false
		}
		code = code<<3 + int(digit-'0')
	}
	return byte(code), code <= 0xff
}
