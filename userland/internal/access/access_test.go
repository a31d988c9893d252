// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"slices"
	"testing"

	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"
	"github.com/siderolabs/talos/pkg/machinery/role"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"dodeka/userland/internal/osstate"
)

func TestIdentityOf(t *testing.T) {
	tests := []struct {
		name  string
		trust Trust
		md    metadata.MD
		roles []string
		self  Component
	}{
		{"root is an administrator, whatever it says", Administer, metadata.Pairs(RoleKey, "os:reader"), []string{"os:admin"}, ""},
		{"dashboard reads, whatever it says", ReadOnly, metadata.Pairs(RoleKey, "os:admin"), []string{"os:reader"}, ""},
		{"apid passes roles on", Proxy, metadata.Pairs(RoleKey, "os:reader", RoleKey, "os:operator"), []string{"os:operator", "os:reader"}, ""},
		{"apid's caller without a role", Proxy, metadata.Pairs(RoleKey, noRole), nil, ""},
		{"apid for itself", Proxy, metadata.Pairs(selfKey, "apid"), nil, APID},
		{"a caller that plays apid", Proxy, metadata.Pairs(selfKey, "apid", RoleKey, noRole), nil, ""},
		{"apid without any word", Proxy, metadata.MD{}, nil, ""},
		{"apid as somebody else", Proxy, metadata.Pairs(selfKey, "trustd"), nil, ""},
		{"trustd", IssueCerts, metadata.Pairs(RoleKey, "os:admin"), nil, Trustd},
		{"nobody", Nobody, metadata.Pairs(RoleKey, "os:admin"), nil, ""},
	}
	for _, tc := range tests {
		got := identityOf(tc.trust, tc.md)
		if !slices.Equal(got.Roles.Strings(), tc.roles) || got.Self != tc.self {
			t.Errorf("%s: got %q self %q", tc.name, got.Roles.Strings(), got.Self)
		}
	}
}

func TestPassRolesReplacesWhatTheCallerWrote(t *testing.T) {
	md := metadata.Pairs(RoleKey, "os:admin", selfKey, "apid", "other", "stays")
	PassRoles(md, role.Zero)
	if got := identityOf(Proxy, md); len(got.Roles.Strings()) != 0 || got.Self != "" || len(md.Get("other")) != 1 {
		t.Errorf("got %+v from %v", got, md)
	}
}

func TestParseRolesKeepsRolesOnly(t *testing.T) {
	if got := ParseRoles([]string{"", "os:reader", "example", noRole}).Strings(); !slices.Equal(got, []string{"os:reader"}) {
		t.Errorf("got %q", got)
	}
}

func TestMayCall(t *testing.T) {
	tests := []struct {
		who    Identity
		method string
		want   bool
	}{
		{Identity{Roles: everyone}, "/machine.MachineService/Version", true},
		{Identity{Roles: role.MakeSet(role.Reader)}, "/machine.MachineService/Reset", false},
		{Identity{Roles: role.MakeSet(role.Operator)}, "/machine.MachineService/Read", false},
		{Identity{Roles: role.MakeSet(role.MetaWriter)}, "/machine.MachineService/MetaWrite", true},
		{Identity{Roles: role.MakeSet(role.EtcdBackup)}, "/machine.MachineService/EtcdSnapshot", true},
		{Identity{Roles: role.Zero}, "/machine.MachineService/Version", false},
		{Identity{Roles: admins}, "/machine.MachineService/Unknown", false},
		{Identity{Roles: role.Zero, Self: APID}, "/cosi.resource.State/Watch", true},
		{Identity{Roles: role.Zero, Self: APID}, "/machine.MachineService/Version", false},
	}
	for _, tc := range tests {
		if got := mayCall(tc.who, tc.method); got != tc.want {
			t.Errorf("%v %q %s: got %t", tc.who.Roles.Strings(), tc.who.Self, tc.method, got)
		}
	}
}

func TestFilter(t *testing.T) {
	resources, err := osstate.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rule := Filter(resources.State)
	reader, admin := Identity{Roles: role.MakeSet(role.Reader)}, Identity{Roles: admins}
	hostname := state.Access{ResourceNamespace: network.NamespaceName, ResourceType: network.HostnameStatusType}
	secret := state.Access{ResourceNamespace: secrets.NamespaceName, ResourceType: secrets.APIType}
	tests := []struct {
		name   string
		who    Identity
		wanted state.Access
		want   codes.Code
	}{
		{"reader reads", reader, hostname, codes.OK},
		{"reader and a secret", reader, secret, codes.PermissionDenied},
		{"administrator and a secret", admin, secret, codes.OK},
		{"administrator writes", admin, state.Access{ResourceType: network.HostnameStatusType, Verb: state.Update}, codes.PermissionDenied},
		{"unknown type", admin, state.Access{ResourceNamespace: network.NamespaceName, ResourceType: "X"}, codes.PermissionDenied},
		{"unknown namespace", admin, state.Access{ResourceNamespace: "x", ResourceType: network.HostnameStatusType}, codes.PermissionDenied},
		{"apid and its secret", Identity{Self: APID}, secret, codes.OK},
		{"apid and another secret", Identity{Self: APID}, state.Access{ResourceType: secrets.OSRootType}, codes.PermissionDenied},
		{"trustd and its secret", Identity{Self: Trustd}, state.Access{ResourceType: secrets.OSRootType}, codes.OK},
		{"a component writes", Identity{Self: APID}, state.Access{ResourceType: secrets.APIType, Verb: state.Destroy}, codes.PermissionDenied},
	}
	for _, tc := range tests {
		err := rule(WithIdentity(context.Background(), tc.who), tc.wanted)
		if status.Code(err) != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
	}
}
