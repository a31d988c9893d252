// SPDX-License-Identifier: Apache-2.0

package osidentity

import (
	"bytes"
	"context"
	stdx509 "crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cosi-project/runtime/pkg/controller"
	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/crypto/x509"
	machineconfig "github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"
	"github.com/siderolabs/talos/pkg/machinery/role"
)

// issued remembers for what the present leaves were made, and when.
type issued struct {
	ca     []byte
	sans   secrets.CertSANSpec
	at     time.Time
	server *x509.PEMEncodedCertificateAndKey
	client *x509.PEMEncodedCertificateAndKey
}

// serverUse is for machines that others ask.
var serverUse = []stdx509.ExtKeyUsage{stdx509.ExtKeyUsageServerAuth}

// fresh tells whether the leaves still fit.
func (i *issued) fresh(now time.Time, ca []byte, sans *secrets.CertSANSpec) bool {
	return i.server != nil && bytes.Equal(i.ca, ca) && Fresh(i.at, now) &&
		slices.Equal(i.sans.IPs, sans.IPs) && slices.Equal(i.sans.DNSNames, sans.DNSNames)
}

// maintain is for a machine without configuration: no client can be known, so none is asked who it is.
func (c *Controller) maintain(ctx context.Context, r controller.Runtime, sans *secrets.CertSANSpec) error {
	ca, err := c.maintenanceCA(ctx, r)
	if err != nil {
		return err
	}
	if err := writeNames(ctx, r, secrets.CertSANMaintenanceID, sans); err != nil {
		return err
	}
	if now := c.Now(); !c.issued.fresh(now, ca.Crt, sans) {
		server, err := Issue(ca, now, Leaf{Name: "maintenance", Uses: serverUse, SANs: sans})
		if err != nil {
			return err
		}
		c.issued = issued{ca: ca.Crt, sans: sans.DeepCopy(), at: now, server: server}
	}
	spec := secrets.APICertsSpec{
		AcceptedCAs: []*x509.PEMEncodedCertificate{{Crt: ca.Crt}}, Server: c.issued.server, SkipVerifyingClientCert: true,
	}
	if err := c.writeAPI(ctx, r, spec); err != nil {
		return err
	}
	return destroyAll(ctx, r, secrets.NewOSRoot(secrets.OSRootID), secrets.NewTrustd())
}

func (c *Controller) maintenanceCA(ctx context.Context, r controller.Runtime) (*x509.PEMEncodedCertificateAndKey, error) {
	root, err := safe.ReaderGetByID[*secrets.MaintenanceRoot](ctx, r, secrets.MaintenanceRootID)
	if err == nil {
		return root.TypedSpec().CA, nil
	}
	if !state.IsNotFoundError(err) {
		return nil, err
	}
	ca, err := selfMade(c.Now())
	if err != nil {
		return nil, err
	}
	return ca, safe.WriterModify(ctx, r, secrets.NewMaintenanceRoot(secrets.MaintenanceRootID), func(m *secrets.MaintenanceRoot) error {
		m.TypedSpec().CA = ca
		return nil
	})
}

// serve is for a machine with a configuration. Whatever stands in its way, the API is not open to everybody any more.
func (c *Controller) serve(ctx context.Context, r controller.Runtime, cfg machineconfig.Config, sans *secrets.CertSANSpec) error {
	root, err := rootOf(cfg)
	if err == nil {
		err = c.serveWith(ctx, r, root, cfg, sans)
	}
	if err != nil {
		err = errors.Join(err, c.shut(ctx, r))
	}
	return err
}

// shut lets nobody in until there is a certificate, for which trustd may be long in coming: the CA of maintenance, which
// stays the accepted one, never issued anything to a client.
func (c *Controller) shut(ctx context.Context, r controller.Runtime) error {
	api, err := safe.ReaderGetByID[*secrets.API](ctx, r, secrets.APIID)
	if state.IsNotFoundError(err) || err == nil && !api.TypedSpec().SkipVerifyingClientCert {
		return nil
	}
	if err != nil {
		return err
	}
	spec := *api.TypedSpec()
	spec.SkipVerifyingClientCert = false
	return c.writeAPI(ctx, r, spec)
}

func (c *Controller) serveWith(ctx context.Context, r controller.Runtime, root *secrets.OSRootSpec, cfg machineconfig.Config, sans *secrets.CertSANSpec) error {
	sans.AppendIPs(root.CertSANIPs...)
	sans.AppendDNSNames(root.CertSANDNSNames...)
	sans.Sort()
	if err := writeRoot(ctx, r, root, sans); err != nil {
		return err
	}
	if now := c.Now(); !c.issued.fresh(now, root.IssuingCA.Crt, sans) {
		if len(root.IssuingCA.Key) == 0 { // asking takes time
			if err := c.shut(ctx, r); err != nil {
				return err
			}
		}
		if err := c.issueAll(ctx, now, root, cfg, sans); err != nil {
			return err
		}
	}
	if err := c.writeAPI(ctx, r, secrets.APICertsSpec{
		AcceptedCAs: root.AcceptedCAs, Server: c.issued.server, Client: c.issued.client,
	}); err != nil {
		return err
	}
	if err := c.writeTrustd(ctx, r, root); err != nil {
		return err
	}
	return destroyAll(ctx, r, secrets.NewMaintenanceRoot(secrets.MaintenanceRootID))
}

// rootOf reads the CA. Every accepted CA's certificates get in; the issuing one is among them.
func rootOf(cfg machineconfig.Config) (*secrets.OSRootSpec, error) {
	security := cfg.Machine().Security()
	issuing := security.IssuingCA()
	if issuing == nil || len(issuing.Crt) == 0 {
		return nil, errors.New("machine.ca is missing from the machine configuration")
	}
	root := &secrets.OSRootSpec{IssuingCA: issuing, AcceptedCAs: slices.Clone(security.AcceptedCAs()), Token: security.Token()}
	if !slices.ContainsFunc(root.AcceptedCAs, func(ca *x509.PEMEncodedCertificate) bool { return bytes.Equal(ca.Crt, issuing.Crt) }) {
		root.AcceptedCAs = append(root.AcceptedCAs, &x509.PEMEncodedCertificate{Crt: issuing.Crt})
	}
	var sans secrets.CertSANSpec
	sans.Append(security.CertSANs()...)
	root.CertSANIPs, root.CertSANDNSNames = sans.IPs, sans.DNSNames
	return root, nil
}

func (c *Controller) issueAll(ctx context.Context, now time.Time, root *secrets.OSRootSpec, cfg machineconfig.Config, sans *secrets.CertSANSpec) error {
	want := Leaf{Name: sans.FQDN, Uses: serverUse, SANs: sans}
	if len(root.IssuingCA.Key) == 0 {
		server, err := c.askFor(ctx, root, cfg, want)
		if err != nil {
			return err
		}
		c.issued = issued{ca: root.IssuingCA.Crt, sans: sans.DeepCopy(), at: now, server: server}
		return nil
	}
	server, err := Issue(root.IssuingCA, now, want)
	if err != nil {
		return err
	}
	client, err := Issue(root.IssuingCA, now, Leaf{
		Name: "apid", Organisations: []string{string(role.Impersonator)}, Uses: []stdx509.ExtKeyUsage{stdx509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return err
	}
	c.issued = issued{ca: root.IssuingCA.Crt, sans: sans.DeepCopy(), at: now, server: server, client: client}
	return nil
}

func writeRoot(ctx context.Context, r controller.Runtime, root *secrets.OSRootSpec, sans *secrets.CertSANSpec) error {
	err := safe.WriterModify(ctx, r, secrets.NewOSRoot(secrets.OSRootID), func(o *secrets.OSRoot) error {
		*o.TypedSpec() = *root
		return nil
	})
	if err != nil {
		return err
	}
	return writeNames(ctx, r, secrets.CertSANAPIID, sans)
}

func writeNames(ctx context.Context, r controller.Runtime, id resource.ID, sans *secrets.CertSANSpec) error {
	return safe.WriterModify(ctx, r, secrets.NewCertSAN(secrets.NamespaceName, id), func(s *secrets.CertSAN) error {
		*s.TypedSpec() = sans.DeepCopy()
		return nil
	})
}

// writeAPI writes the certificates before the settings that need them.
func (c *Controller) writeAPI(ctx context.Context, r controller.Runtime, spec secrets.APICertsSpec) error {
	err := safe.WriterModify(ctx, r, secrets.NewAPI(), func(a *secrets.API) error {
		*a.TypedSpec() = spec
		return nil
	})
	if err != nil {
		return err
	}
	open := spec.SkipVerifyingClientCert
	return safe.WriterModify(ctx, r, runtime.NewAPIServiceConfig(), func(a *runtime.APIServiceConfig) error {
		*a.TypedSpec() = runtime.APIServiceConfigSpec{
			ListenAddress: c.Listen, NodeRoutingDisabled: open, ReadonlyRoleMode: open, SkipVerifyingClientCert: open,
		}
		return nil
	})
}

// writeTrustd gives trustd the same server certificate: the machine is the same, and so are its names. A machine without
// the CA's key has nothing to sign with and so no trustd.
func (c *Controller) writeTrustd(ctx context.Context, r controller.Runtime, root *secrets.OSRootSpec) error {
	if len(root.IssuingCA.Key) == 0 {
		return destroyAll(ctx, r, secrets.NewTrustd())
	}
	return safe.WriterModify(ctx, r, secrets.NewTrustd(), func(t *secrets.Trustd) error {
		*t.TypedSpec() = secrets.TrustdCertsSpec{AcceptedCAs: root.AcceptedCAs, Server: c.issued.server}
		return nil
	})
}

func destroyAll(ctx context.Context, r controller.Runtime, resources ...resource.Resource) error {
	for _, res := range resources {
		if err := r.Destroy(ctx, res.Metadata()); err != nil && !state.IsNotFoundError(err) {
			return fmt.Errorf("remove %s: %w", res.Metadata().Type(), err)
		}
	}
	return nil
}
