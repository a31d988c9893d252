// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// ErrNotAuthorized is the answer to a caller whose roles do not allow what was asked.
var ErrNotAuthorized = status.Error(codes.PermissionDenied, "not authorized")

// selfMethods is what a component may call for itself; which resources is decided where they are served.
var selfMethods = []string{"/cosi.resource.State/Get", "/cosi.resource.State/List", "/cosi.resource.State/Watch"}

// authorize returns the context of a call that may go on.
func authorize(ctx context.Context, method string) (context.Context, error) {
	who := identify(ctx)
	if !mayCall(who, method) {
		return nil, ErrNotAuthorized
	}
	return WithIdentity(ctx, who), nil
}

func mayCall(who Identity, method string) bool {
	if who.Self != "" {
		return slices.Contains(selfMethods, method)
	}
	allowed, known := RolesFor(method)
	return known && who.Roles.IncludesAny(allowed)
}

// Unary authorizes calls with one request and one answer.
func Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	ctx, err := authorize(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	return handler(ctx, req)
}

// Stream authorizes streams.
func Stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, err := authorize(stream.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	return handler(server, &StreamWithContext{ServerStream: stream, Ctx: ctx})
}

// StreamWithContext is a stream with another context.
type StreamWithContext struct {
	grpc.ServerStream
	Ctx context.Context
}

// Context implements grpc.ServerStream.
func (s *StreamWithContext) Context() context.Context { return s.Ctx }
