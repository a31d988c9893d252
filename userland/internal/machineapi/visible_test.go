// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"
	"testing"

	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"
	"github.com/siderolabs/talos/pkg/machinery/role"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dodeka/userland/internal/access"
	"dodeka/userland/internal/osstate"
)

func TestVisible(t *testing.T) {
	resources, err := osstate.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rule := visible(resources.State)
	reader, admin := access.Identity{Roles: role.MakeSet(role.Reader)}, access.Identity{Roles: role.MakeSet(role.Admin)}
	hostname := state.Access{ResourceNamespace: network.NamespaceName, ResourceType: network.HostnameStatusType}
	secret := state.Access{ResourceNamespace: secrets.NamespaceName, ResourceType: secrets.APIType}
	tests := []struct {
		name   string
		who    access.Identity
		wanted state.Access
		want   codes.Code
	}{
		{"reader reads", reader, hostname, codes.OK},
		{"reader and a secret", reader, secret, codes.PermissionDenied},
		{"administrator and a secret", admin, secret, codes.OK},
		{"administrator writes", admin, state.Access{ResourceType: network.HostnameStatusType, Verb: state.Update}, codes.PermissionDenied},
		{"unknown type", admin, state.Access{ResourceNamespace: network.NamespaceName, ResourceType: "X"}, codes.PermissionDenied},
		{"unknown namespace", admin, state.Access{ResourceNamespace: "x", ResourceType: network.HostnameStatusType}, codes.PermissionDenied},
		{"apid and its secret", access.Identity{Self: access.APID}, secret, codes.OK},
		{"apid and another secret", access.Identity{Self: access.APID}, state.Access{ResourceType: secrets.OSRootType}, codes.PermissionDenied},
		{"trustd and its secret", access.Identity{Self: access.Trustd}, state.Access{ResourceType: secrets.OSRootType}, codes.OK},
		{"a component writes", access.Identity{Self: access.APID}, state.Access{ResourceType: secrets.APIType, Verb: state.Destroy}, codes.PermissionDenied},
	}
	for _, tc := range tests {
		err := rule(access.WithIdentity(context.Background(), tc.who), tc.wanted)
		if status.Code(err) != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
	}
}
