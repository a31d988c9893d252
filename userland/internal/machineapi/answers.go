// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dodeka/userland/internal/access"
)

type logger = func(format string, values ...any)

// unaryAnswers makes an answer of every outcome, a defect's panic as well: PID 1 must outlive it.
func unaryAnswers(log logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (answer any, err error) {
		defer func() { err = answered(log, info.FullMethod, recover(), err) }()
		return handler(ctx, req)
	}
}

func streamAnswers(log logger) grpc.StreamServerInterceptor {
	return func(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
		defer func() { err = answered(log, info.FullMethod, recover(), err) }()
		return handler(server, stream)
	}
}

func answered(log logger, method string, panicked any, err error) error {
	if panicked != nil {
		log("api: BUG: %s: panic: %v\n%s", method, panicked, debug.Stack())
		return status.Errorf(codes.Internal, "BUG: %s: the machine failed to answer", method)
	}
	return statusOf(method, err)
}

// statusOf gives errors of the operating system the code that says the same.
func statusOf(method string, err error) error {
	if err == nil {
		return nil
	}
	var withStatus interface{ GRPCStatus() *status.Status }
	if errors.As(err, &withStatus) {
		s := withStatus.GRPCStatus()
		if s.Code() == codes.Unimplemented && strings.HasPrefix(s.Message(), "method ") {
			return status.Errorf(codes.Unimplemented, "%s is not something that this system can do", strings.TrimPrefix(method, "/"))
		}
		return s.Err()
	}
	code := codes.Unknown
	for _, known := range []struct {
		err  error
		code codes.Code
	}{
		{fs.ErrNotExist, codes.NotFound}, {fs.ErrPermission, codes.PermissionDenied}, {fs.ErrExist, codes.AlreadyExists},
		{context.Canceled, codes.Canceled}, {context.DeadlineExceeded, codes.DeadlineExceeded},
	} {
		if errors.Is(err, known.err) {
			code = known.code
		}
	}
	return status.Error(code, err.Error())
}

// quiet are the methods that change nothing; they are too many to note each call.
var quiet = strings.Fields(`Version Hostname ServiceList Logs LogsContainers Dmesg Events Containers Stats Processes
	Memory CPUInfo CPUFreqStats LoadAvg SystemStat DiskStats NetworkDeviceStats Mounts Netstat List DiskUsage Disks Time
	TimeCheck Get Watch ImageList ControllerRuntimeDependencies EtcdMemberList EtcdStatus EtcdAlarmList`)

func isQuiet(method string) bool {
	return slices.Contains(quiet, method[strings.LastIndexByte(method, '/')+1:])
}

// unaryLog notes who asked for a change, and what came of it.
func unaryLog(log logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		answer, err := handler(ctx, req)
		note(log, ctx, info.FullMethod, err)
		return answer, err
	}
}

func streamLog(log logger) grpc.StreamServerInterceptor {
	return func(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		err := handler(server, stream)
		note(log, stream.Context(), info.FullMethod, err)
		return err
	}
}

func note(log logger, ctx context.Context, method string, err error) {
	if isQuiet(method) {
		return
	}
	outcome := "done"
	if err != nil {
		outcome = fmt.Sprintf("refused: %v", status.Convert(statusOf(method, err)).Message())
	}
	log("api: %s by %s %s", strings.TrimPrefix(method, "/"), strings.Join(access.From(ctx).Roles.Strings(), ","), outcome)
}
