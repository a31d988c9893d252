// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"
	"slices"
	"strings"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/resource/meta"
	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"
	"github.com/siderolabs/talos/pkg/machinery/role"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dodeka/userland/internal/access"
)

// selfTypes are the resource types that a component needs for its own work.
var selfTypes = map[access.Component][]resource.Type{
	access.APID: {secrets.APIType, runtime.APIServiceConfigType, network.NodeAddressType, network.HostnameStatusType},
	access.Trustd: {secrets.TrustdType, secrets.OSRootType, secrets.CertSANType, network.NodeAddressType,
		network.HostnameStatusType},
}

// visible is the rule of the resource API: nobody writes over it, as the resources are what the system itself found or
// decided; what is sensitive is for administrators; types and namespaces that do not exist are refused.
func visible(resources state.State) state.FilteringRule {
	return func(ctx context.Context, wanted state.Access) error {
		who := access.From(ctx)
		if !wanted.Verb.Readonly() {
			return status.Error(codes.PermissionDenied, "resources are read-only; change the machine configuration instead")
		}
		if who.Self != "" {
			if slices.Contains(selfTypes[who.Self], wanted.ResourceType) {
				return nil
			}
			return access.ErrNotAuthorized
		}
		return checkKnown(ctx, resources, who, wanted)
	}
}

func checkKnown(ctx context.Context, resources state.State, who access.Identity, wanted state.Access) error {
	definition, err := safe.StateGetByID[*meta.ResourceDefinition](ctx, resources, strings.ToLower(wanted.ResourceType))
	if state.IsNotFoundError(err) {
		return status.Errorf(codes.PermissionDenied, "resource type %q does not exist", wanted.ResourceType)
	}
	if err != nil {
		return err
	}
	if definition.TypedSpec().Sensitivity != meta.NonSensitive && !who.Roles.Includes(role.Admin) {
		return access.ErrNotAuthorized
	}
	_, err = safe.StateGetByID[*meta.Namespace](ctx, resources, wanted.ResourceNamespace)
	if state.IsNotFoundError(err) {
		return status.Errorf(codes.PermissionDenied, "namespace %q does not exist", wanted.ResourceNamespace)
	}
	return err
}
