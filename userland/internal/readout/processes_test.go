// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"context"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
)

const statTail = " S 1 10 10 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 7 0 1000 8192 3 18446744073709551615\n"

func TestProcesses(t *testing.T) {
	root := fakeProc(t, map[string]string{
		"10/stat": "10 (init)" + statTail, "10/cmdline": "/sbin/init\x00--flag\x00\x00", "10/exe": "-> /sbin/init",
		"10/attr/current": "label\x00\n",
		"9/stat":          "9 (evil) R (x)" + statTail, "9/cmdline": " \x00 \x00", // no exe: a kernel thread
		"8/stat": "8 (short) S 1", "8/cmdline": "x",
		"7/stat": "no parenthesis", "7/cmdline": "x",
		"6/cmdline": "gone",
		"self":      "-> 10", "meminfo": "", "0/stat": "0 (zero)" + statTail, "-1/stat": "x",
	})
	got, err := Processes(context.Background(), root)
	if err != nil {
		t.Fatal(err)
	}
	process := func(pid int32, command string) *machine.ProcessInfo {
		return &machine.ProcessInfo{
			Pid: pid, Ppid: 1, State: "S", Threads: 7, CpuTime: 2, VirtualMemory: 8192,
			ResidentMemory: 3 * uint64(os.Getpagesize()), Command: command,
		}
	}
	first, second := process(9, "evil) R (x"), process(10, "init")
	second.Args, second.Executable, second.Label = "/sbin/init --flag", "/sbin/init", "label"
	want := []*machine.ProcessInfo{first, second}
	if diff := cmp.Diff(want, got.GetMessages()[0].GetProcesses(), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func TestProcessesEndWithTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Processes(ctx, fakeProc(t, map[string]string{"1/stat": ""}))
	if status.Code(err) != codes.Canceled {
		t.Errorf("found %v", err)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("1 (a)" + statTail))
	f.Add([]byte(")("))
	f.Fuzz(func(t *testing.T, stat []byte) {
		if info, err := parseStat(stat); err == nil && info.GetState() == "" {
			t.Error("no state")
		}
	})
}
