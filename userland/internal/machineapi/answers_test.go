// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dodeka/userland/internal/settings"
)

func TestStatusOf(t *testing.T) {
	_, missing := machine.UnimplementedMachineServiceServer{}.Bootstrap(context.Background(), nil)
	for name, tc := range map[string]struct {
		err  error
		code codes.Code
		text string
	}{
		"success":                    {nil, codes.OK, ""},
		"a method that is not there": {missing, codes.Unimplemented, "machine.MachineService/X is not something that this system can do"},
		"a method that says so":      {status.Error(codes.Unimplemented, "only one namespace"), codes.Unimplemented, "only one namespace"},
		"a refusal that is wrapped":  {fmt.Errorf("apply: %w", &settings.Refused{Kind: settings.Busy}), codes.FailedPrecondition, "another configuration"},
		"a file that is not there":   {&fs.PathError{Op: "open", Path: "/x", Err: fs.ErrNotExist}, codes.NotFound, "open /x"},
		"a file that is not for us":  {fs.ErrPermission, codes.PermissionDenied, ""},
		"a client that went away":    {context.Canceled, codes.Canceled, ""},
		"a time that is over":        {fmt.Errorf("ask: %w", context.DeadlineExceeded), codes.DeadlineExceeded, "ask: "},
		"anything else":              {errors.New("odd"), codes.Unknown, "odd"},
	} {
		got := status.Convert(statusOf("/machine.MachineService/X", tc.err))
		if got.Code() != tc.code || !strings.Contains(got.Message(), tc.text) {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestAPanicIsAnAnswer(t *testing.T) {
	var lines []string
	log := func(format string, values ...any) { lines = append(lines, fmt.Sprintf(format, values...)) }
	_, err := unaryAnswers(log)(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: "/a/One"}, func(context.Context, any) (any, error) { panic("why") })
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "why") {
		t.Errorf("call: %v", err)
	}
	err = streamAnswers(log)(nil, nil, &grpc.StreamServerInfo{FullMethod: "/a/Many"}, func(any, grpc.ServerStream) error { panic("why") })
	if status.Code(err) != codes.Internal || strings.Contains(err.Error(), "why") {
		t.Errorf("stream: %v", err)
	}
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "api: BUG: /a/One: panic: why\n") || !strings.HasPrefix(lines[1], "api: BUG: /a/Many: panic: why\n") {
		t.Errorf("log %q", lines)
	}
}

func TestOnlyChangesAreNoted(t *testing.T) {
	var lines []string
	log := func(format string, values ...any) { lines = append(lines, fmt.Sprintf(format, values...)) }
	note(log, t.Context(), "/machine.MachineService/Version", nil)
	note(log, t.Context(), "/machine.MachineService/Reboot", errors.New("busy"))
	if len(lines) != 1 || !strings.Contains(lines[0], "machine.MachineService/Reboot by ") || !strings.HasSuffix(lines[0], "refused: busy") {
		t.Errorf("log %q", lines)
	}
}
