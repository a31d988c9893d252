// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
)

// nameHolders finds the process of each socket by the links in /proc/N/fd, which are read and never followed. A socket
// of several processes gets the one with the lowest number.
func nameHolders(ctx context.Context, root Root, records []*machine.ConnectRecord) error {
	missing := map[uint64][]*machine.ConnectRecord{}
	for _, record := range records {
		if record.GetInode() != 0 { // a socket that waits for its end belongs to nobody
			missing[record.GetInode()] = append(missing[record.GetInode()], record)
		}
	}
	entries, err := os.ReadDir(root.Proc)
	if err != nil {
		return err
	}
	for _, pid := range pids(entries) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(missing) == 0 {
			return nil
		}
		nameHolder(filepath.Join(root.Proc, strconv.Itoa(pid)), pid, missing)
	}
	return nil
}

func nameHolder(dir string, pid int, missing map[uint64][]*machine.ConnectRecord) {
	for _, inode := range socketInodes(filepath.Join(dir, "fd")) {
		for _, record := range missing[inode] {
			name, _ := readProcFile(filepath.Join(dir, "comm"))
			record.Process = &machine.ConnectRecord_Process{Pid: uint32(pid), Name: strings.TrimSpace(string(name))}
		}
		delete(missing, inode)
	}
}

func socketInodes(dir string) []uint64 {
	var found []uint64
	descriptors, _ := os.ReadDir(dir)
	for _, descriptor := range descriptors {
		target, _ := os.Readlink(filepath.Join(dir, descriptor.Name()))
		number, isSocket := strings.CutPrefix(target, "socket:[")
		if !isSocket {
			continue
		}
		if inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64); err == nil {
			found = append(found, inode)
		}
	}
	return found
}
