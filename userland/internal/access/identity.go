// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"slices"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/role"
	"google.golang.org/grpc/metadata"
)

// Socket is where the machine API listens on a running system.
const Socket = "/run/dodeka/machine.sock"

// roleKey is the metadata key in which apid passes the roles of its caller on: one value for each.
const roleKey = "talos-role"

// selfKey marks a call that a component makes for itself, not for somebody else. apid removes it from what it proxies.
const selfKey = "dodeka-self"

// noRole stands for an empty set of roles: metadata without values would not arrive, and look like no metadata at all.
const noRole = "none"

// Component is a part of the system that reads resources for its own work.
type Component string

// The components that are not init itself.
const (
	APID   Component = "apid"
	Trustd Component = "trustd"
)

// Identity is who calls: somebody with roles, or a component for itself.
type Identity struct {
	Roles role.Set
	Self  Component // empty for a caller with roles
}

type identityKey struct{}

// WithIdentity returns a context that carries who calls.
func WithIdentity(ctx context.Context, who Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, who)
}

// From returns who calls; nobody, when the context does not say.
func From(ctx context.Context) Identity {
	if who, ok := ctx.Value(identityKey{}).(Identity); ok {
		return who
	}
	return Identity{Roles: role.Zero}
}

// PassRoles sets the metadata of a call that apid makes for a caller. Whatever the caller itself put there is replaced.
func PassRoles(md metadata.MD, roles role.Set) {
	md.Delete(selfKey)
	md.Set(roleKey, append([]string{noRole}, roles.Strings()...)...)
}

// AsComponent returns a context for calls that a component makes for itself.
func AsComponent(ctx context.Context, c Component) context.Context {
	return metadata.AppendToOutgoingContext(ctx, selfKey, string(c))
}

// rolesIn reads what PassRoles wrote. Found is false when there is nothing.
func rolesIn(md metadata.MD) (roles role.Set, found bool) {
	values := md.Get(roleKey)
	if len(values) == 0 {
		return role.Zero, false
	}
	roles, _ = role.Parse(slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == noRole }))
	return roles, true
}

// ParseRoles reads the organisations of a client certificate. Names that are no roles are left out: they give nothing.
func ParseRoles(organisations []string) role.Set {
	roles, _ := role.Parse(slices.DeleteFunc(slices.Clone(organisations), func(o string) bool {
		return !strings.HasPrefix(strings.TrimSpace(o), role.Prefix)
	}))
	return roles
}

// RolesPassed reads the roles that another machine's apid passes on. Only callers with role Impersonator may use it.
func RolesPassed(ctx context.Context) (role.Set, bool) {
	md, _ := metadata.FromIncomingContext(ctx)
	return rolesIn(md)
}
