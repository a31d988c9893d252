// SPDX-License-Identifier: Apache-2.0

// Package osidentity gives the machine its certificates. With a machine configuration they come from the CA in it; a
// machine without one makes a CA of its own for the time being. Results are resources (OSRoot, CertSAN, API, Trustd,
// APIServiceConfig), so that apid and trustd follow a change by watching. Leaves live 24 hours and are renewed at half
// of that, and when the addresses, the names, the CA or the clock change.
package osidentity

import (
	"context"
	"fmt"
	"time"

	"github.com/cosi-project/runtime/pkg/controller"
	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/resources/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"
	timestatus "github.com/siderolabs/talos/pkg/machinery/resources/time"
	"github.com/siderolabs/talos/pkg/machinery/resources/v1alpha1"
	"go.uber.org/zap"
)

// look is how often the clock on the wall is compared with the leaf's: a timer alone would sleep through a change of it.
const look = time.Minute

// Controller writes the machine's certificates. Zero fields take what a running system uses.
type Controller struct {
	Listen string           // address of apid, ":50000"
	Now    func() time.Time // the clock on the wall
	Ask    Asker            // for a machine that has no CA key; nil refuses such a configuration
	issued issued
}

// Asker has a machine that holds the CA's key sign a request (PEM), for a machine that only has the CA's certificate.
type Asker interface {
	Sign(ctx context.Context, root *secrets.OSRootSpec, endpoint string, request []byte) (certificate []byte, err error)
}

var _ controller.Controller = (*Controller)(nil)

// Name implements controller.Controller.
func (c *Controller) Name() string { return "osidentity" }

// Inputs implements controller.Controller.
func (c *Controller) Inputs() []controller.Input {
	return []controller.Input{
		{Namespace: config.NamespaceName, Type: config.MachineConfigType, Kind: controller.InputWeak},
		{Namespace: network.NamespaceName, Type: network.NodeAddressType, Kind: controller.InputWeak},
		{Namespace: network.NamespaceName, Type: network.HostnameStatusType, Kind: controller.InputWeak},
		{Namespace: v1alpha1.NamespaceName, Type: timestatus.StatusType, Kind: controller.InputWeak},
	}
}

// Outputs implements controller.Controller.
func (c *Controller) Outputs() []controller.Output {
	return []controller.Output{
		{Type: secrets.OSRootType, Kind: controller.OutputExclusive},
		{Type: secrets.MaintenanceRootType, Kind: controller.OutputExclusive},
		{Type: secrets.CertSANType, Kind: controller.OutputShared},
		{Type: secrets.APIType, Kind: controller.OutputExclusive},
		{Type: secrets.TrustdType, Kind: controller.OutputExclusive},
		{Type: runtime.APIServiceConfigType, Kind: controller.OutputExclusive},
	}
}

// Run implements controller.Controller.
func (c *Controller) Run(ctx context.Context, r controller.Runtime, _ *zap.Logger) error {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Listen == "" {
		c.Listen = ":50000"
	}
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.EventCh():
		case <-ticker.C:
		}
		if err := c.reconcile(ctx, r); err != nil {
			return err
		}
		r.ResetRestartBackoff()
	}
}

func (c *Controller) reconcile(ctx context.Context, r controller.Runtime) error {
	sans, err := Names(ctx, r)
	if err != nil {
		return err
	}
	active, err := safe.ReaderGetByID[*config.MachineConfig](ctx, r, config.ActiveID)
	switch {
	case state.IsNotFoundError(err), err == nil && active.Config().Machine() == nil:
		return c.maintain(ctx, r, sans)
	case err != nil:
		return fmt.Errorf("read the machine configuration: %w", err)
	}
	return c.serve(ctx, r, active.Config(), sans)
}

// Names lists under what addresses and names clients may call the machine.
func Names(ctx context.Context, r controller.Reader) (*secrets.CertSANSpec, error) {
	sans := &secrets.CertSANSpec{}
	sans.Append("127.0.0.1", "::1", "localhost")
	addresses, err := safe.ReaderGetByID[*network.NodeAddress](ctx, r, network.NodeAddressAccumulativeID)
	if state.IsNotFoundError(err) {
		addresses, err = safe.ReaderGetByID[*network.NodeAddress](ctx, r, network.NodeAddressCurrentID)
	}
	switch {
	case err == nil:
		for _, prefix := range addresses.TypedSpec().Addresses {
			sans.AppendIPs(prefix.Addr())
		}
	case !state.IsNotFoundError(err):
		return nil, err
	}
	name, err := safe.ReaderGetByID[*network.HostnameStatus](ctx, r, network.HostnameID)
	switch {
	case err == nil:
		sans.AppendDNSNames(name.TypedSpec().Hostname, name.TypedSpec().FQDN())
		sans.FQDN = name.TypedSpec().FQDN()
	case !state.IsNotFoundError(err):
		return nil, err
	}
	sans.Sort()
	return sans, nil
}
