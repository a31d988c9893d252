// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"
	"strings"
	"time"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	clientconfig "github.com/siderolabs/talos/pkg/machinery/client/config"
	machineryconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/generate/secrets"
	"github.com/siderolabs/talos/pkg/machinery/resources/config"
	"github.com/siderolabs/talos/pkg/machinery/role"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// longestClient bounds the life of a client certificate: nothing can take one back but a change of the CA.
const longestClient = 10 * 365 * 24 * time.Hour

// GenerateClientConfiguration implements machine.MachineServiceServer. It needs the CA's key, which only machines of
// the control plane hold.
func (a *api) GenerateClientConfiguration(ctx context.Context, r *machine.GenerateClientConfigurationRequest) (*machine.GenerateClientConfigurationResponse, error) {
	life := r.CrtTtl.AsDuration()
	if life <= 0 || life > longestClient {
		return nil, status.Errorf(codes.InvalidArgument, "life of %s: expected more than 0 and at most %s", life, longestClient)
	}
	roles, unknown := role.Parse(r.Roles)
	if len(unknown) > 0 || len(roles.Strings()) == 0 {
		return nil, status.Errorf(codes.InvalidArgument, "roles %q: expected one or more of %q", r.Roles, role.All.Strings())
	}
	cfg, err := a.configuration(ctx)
	if err != nil {
		return nil, err
	}
	ca := cfg.Machine().Security().IssuingCA()
	if ca == nil || len(ca.Key) == 0 {
		return nil, status.Error(codes.FailedPrecondition, "this machine does not have the key of machine.ca: ask a machine of the control plane")
	}
	pair, err := secrets.NewAdminCertificateAndKey(time.Now(), ca, roles, life)
	if err != nil {
		return nil, err
	}
	text, err := clientconfig.NewConfig(contextName(cfg.Cluster().Name(), roles), nil, ca.Crt, pair).Bytes()
	if err != nil {
		return nil, err
	}
	return &machine.GenerateClientConfigurationResponse{Messages: []*machine.GenerateClientConfiguration{{
		Ca: ca.Crt, Crt: pair.Crt, Key: pair.Key, Talosconfig: text,
	}}}, nil
}

// configuration is the one that the machine has, whole.
func (a *api) configuration(ctx context.Context) (machineryconfig.Config, error) {
	active, err := safe.StateGetByID[*config.MachineConfig](ctx, a.p.State, config.ActiveID)
	if state.IsNotFoundError(err) {
		return nil, status.Error(codes.FailedPrecondition, "the machine has no configuration")
	}
	if err != nil {
		return nil, err
	}
	cfg := active.Config()
	if cfg.Machine() == nil || cfg.Cluster() == nil {
		return nil, status.Error(codes.FailedPrecondition, "the configuration is of parts only: it has no machine, or no cluster")
	}
	return cfg, nil
}

// contextName says what the client may do where that is one thing.
func contextName(cluster string, roles role.Set) string {
	if names := roles.Strings(); len(names) == 1 {
		return strings.TrimPrefix(names[0], role.Prefix) + "@" + cluster
	}
	return cluster
}
