// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
)

const (
	clockTicks    = 100       // USER_HZ: a constant of the kernel's interface on every architecture that Go knows
	procFileBytes = 16 * 1024 // of one file; a longer command line is cut, which nothing but a reader notices
)

// Processes lists every process of /proc in the order of its number, kernel threads with an empty executable. One that
// ends while it is read is left out. Spec: proc_pid_stat(5).
func Processes(ctx context.Context, root Root) (*machine.ProcessesResponse, error) {
	entries, err := os.ReadDir(root.Proc)
	if err != nil {
		return nil, asStatus(err)
	}
	answer := &machine.Process{}
	for _, number := range pids(entries) {
		if err := ctx.Err(); err != nil {
			return nil, asStatus(err)
		}
		if info, err := processInfo(filepath.Join(root.Proc, strconv.Itoa(number)), number); err == nil {
			answer.Processes = append(answer.Processes, info)
		}
	}
	return &machine.ProcessesResponse{Messages: []*machine.Process{answer}}, nil
}

func processInfo(dir string, number int) (*machine.ProcessInfo, error) {
	stat, err := readProcFile(filepath.Join(dir, "stat"))
	if err != nil {
		return nil, err
	}
	info, err := parseStat(stat)
	if err != nil {
		return nil, err
	}
	arguments, err := readProcFile(filepath.Join(dir, "cmdline"))
	if err != nil {
		return nil, err
	}
	info.Pid = int32(number)
	// A client splits at spaces and takes the first word: arguments of nothing but spaces are none.
	info.Args = strings.TrimSpace(strings.ReplaceAll(strings.TrimRight(string(arguments), "\x00"), "\x00", " "))
	info.Executable, _ = os.Readlink(filepath.Join(dir, "exe"))
	label, _ := readProcFile(filepath.Join(dir, "attr/current"))
	info.Label = strings.Trim(string(label), "\x00\n")
	return info, nil
}

var errStatFormat = errors.New("unexpected format of a process's stat file")

// parseStat reads the fields by their position after the command, which is in parentheses and may hold any character,
// parentheses too.
func parseStat(stat []byte) (*machine.ProcessInfo, error) {
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return nil, errStatFormat
	}
	fields := strings.Fields(string(stat[end+1:]))
	const (
		state    = 0 // field 3 of proc_pid_stat(5); the next constants count from there
		parent   = 1
		userTime = 11
		sysTime  = 12
		threads  = 17
		vsize    = 20
		rss      = 21
	)
	if len(fields) <= rss {
		return nil, errStatFormat
	}
	var parseErr error
	number := func(field int) uint64 {
		n, err := strconv.ParseUint(fields[field], 10, 64)
		parseErr = errors.Join(parseErr, err)
		return n
	}
	info := &machine.ProcessInfo{
		Command:        string(stat[open+1 : end]),
		State:          fields[state],
		Ppid:           int32(number(parent)),
		CpuTime:        float64(number(userTime)+number(sysTime)) / clockTicks,
		Threads:        int32(number(threads)),
		VirtualMemory:  number(vsize),
		ResidentMemory: number(rss) * uint64(os.Getpagesize()),
	}
	return info, parseErr
}

// pids returns the entries of a procfs that are processes, ascending.
func pids(entries []os.DirEntry) []int {
	var found []int
	for _, entry := range entries {
		if number, err := strconv.ParseInt(entry.Name(), 10, 32); err == nil && number > 0 {
			found = append(found, int(number))
		}
	}
	slices.Sort(found)
	return found
}

func readProcFile(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(io.LimitReader(file, procFileBytes))
}
