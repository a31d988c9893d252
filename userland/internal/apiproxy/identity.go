// SPDX-License-Identifier: Apache-2.0

package apiproxy

import (
	"context"

	"github.com/siderolabs/talos/pkg/machinery/role"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"dodeka/userland/internal/access"
)

// identify takes the roles out of the client certificate. On a machine that has no CA yet, every caller is a reader.
func identify(ctx context.Context, open bool) access.Identity {
	if open {
		return access.Identity{Roles: role.MakeSet(role.Reader)}
	}
	from, _ := peer.FromContext(ctx)
	if from == nil {
		return access.Identity{Roles: role.Zero}
	}
	info, ok := from.AuthInfo.(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return access.Identity{Roles: role.Zero}
	}
	roles := access.ParseRoles(info.State.VerifiedChains[0][0].Subject.Organization)
	if roles.Includes(role.Impersonator) { // another machine's apid, which passes its caller's roles on
		if passed, found := access.RolesPassed(ctx); found {
			roles = passed
		}
	}
	return access.Identity{Roles: roles}
}

// withIdentity is the interceptor of every call: the proxy handles all of them as streams.
func withIdentity(open bool) grpc.StreamServerInterceptor {
	return func(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		ctx := access.WithIdentity(stream.Context(), identify(stream.Context(), open))
		return handler(server, &access.StreamWithContext{ServerStream: stream, Ctx: ctx})
	}
}
