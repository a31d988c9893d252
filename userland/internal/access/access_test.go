// SPDX-License-Identifier: Apache-2.0

package access

import (
	"slices"
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/role"
	"google.golang.org/grpc/metadata"
)

func TestIdentityOf(t *testing.T) {
	tests := []struct {
		name  string
		trust Trust
		md    metadata.MD
		roles []string
		self  Component
	}{
		{"root is an administrator, whatever it says", Administer, metadata.Pairs(roleKey, "os:reader"), []string{"os:admin"}, ""},
		{"dashboard reads, whatever it says", ReadOnly, metadata.Pairs(roleKey, "os:admin"), []string{"os:reader"}, ""},
		{"apid passes roles on", Proxy, metadata.Pairs(roleKey, "os:reader", roleKey, "os:operator"), []string{"os:operator", "os:reader"}, ""},
		{"apid's caller without a role", Proxy, metadata.Pairs(roleKey, noRole), nil, ""},
		{"apid for itself", Proxy, metadata.Pairs(selfKey, "apid"), nil, APID},
		{"a caller that plays apid", Proxy, metadata.Pairs(selfKey, "apid", roleKey, noRole), nil, ""},
		{"apid without any word", Proxy, metadata.MD{}, nil, ""},
		{"apid as somebody else", Proxy, metadata.Pairs(selfKey, "trustd"), nil, ""},
		{"trustd", IssueCerts, metadata.Pairs(roleKey, "os:admin"), nil, Trustd},
		{"nobody", Nobody, metadata.Pairs(roleKey, "os:admin"), nil, ""},
	}
	for _, tc := range tests {
		got := identityOf(tc.trust, tc.md)
		if !slices.Equal(got.Roles.Strings(), tc.roles) || got.Self != tc.self {
			t.Errorf("%s: got %q self %q", tc.name, got.Roles.Strings(), got.Self)
		}
	}
}

func TestPassRolesReplacesWhatTheCallerWrote(t *testing.T) {
	md := metadata.Pairs(roleKey, "os:admin", selfKey, "apid", "other", "stays")
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
