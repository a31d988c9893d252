// SPDX-License-Identifier: Apache-2.0

package osidentity

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/siderolabs/crypto/x509"
	machineconfig "github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"

	"dodeka/userland/internal/trustclient"
)

// askFor gets the leaf of a machine that has no CA key. The private key never leaves the machine.
func (c *Controller) askFor(ctx context.Context, root *secrets.OSRootSpec, cfg machineconfig.Config, want Leaf) (*x509.PEMEncodedCertificateAndKey, error) {
	if c.Ask == nil || cfg.Cluster() == nil || cfg.Cluster().Endpoint() == nil {
		return nil, errors.New("machine.ca has no key, and there is no cluster endpoint to ask for a certificate")
	}
	authority, err := root.IssuingCA.GetCert()
	if err != nil {
		return nil, fmt.Errorf("read the CA: %w", err)
	}
	// A key of the CA's kind: Talos' trustd signs no other.
	request, identity, err := x509.NewCSRAndIdentityFromCA(authority,
		x509.CommonName(want.Name), x509.DNSNames(want.SANs.DNSNames), x509.IPAddresses(want.SANs.StdIPs()))
	if err != nil {
		return nil, err
	}
	certificate, err := c.Ask.Sign(ctx, root, cfg.Cluster().Endpoint().Hostname(), request.X509CertificateRequestPEM)
	if err != nil {
		return nil, fmt.Errorf("ask %s for a certificate: %w", cfg.Cluster().Endpoint().Hostname(), err)
	}
	if _, err := tls.X509KeyPair(certificate, identity.Key); err != nil {
		return nil, fmt.Errorf("certificate from trustd: %w", err)
	}
	return &x509.PEMEncodedCertificateAndKey{Crt: certificate, Key: identity.Key}, nil
}

// TrustdAsker asks the trustd of a control plane machine.
type TrustdAsker struct{}

// Sign implements Asker. The machine's token goes only to a server that the CA in the configuration vouches for. One
// attempt is enough: the controller's runtime tries again.
func (TrustdAsker) Sign(ctx context.Context, root *secrets.OSRootSpec, endpoint string, request []byte) ([]byte, error) {
	var accepted []byte
	for _, ca := range root.AcceptedCAs {
		accepted = append(accepted, ca.Crt...)
	}
	answer, err := trustclient.Try(ctx, trustclient.Request{
		Endpoints: []string{endpoint}, Token: root.Token, AcceptedCAs: accepted, CSR: request,
	})
	return answer.Certificate, err
}
