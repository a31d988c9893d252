// SPDX-License-Identifier: Apache-2.0

package osidentity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	stdx509 "crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/siderolabs/crypto/x509"
	"github.com/siderolabs/talos/pkg/machinery/api/security"
	machineconfig "github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
)

// askWait bounds one attempt; the controller's runtime tries again.
const askWait = 20 * time.Second

// askFor gets the leaf of a machine that has no CA key. The private key never leaves the machine.
func (c *Controller) askFor(ctx context.Context, now time.Time, root *secrets.OSRootSpec, cfg machineconfig.Config, want leaf) (*x509.PEMEncodedCertificateAndKey, error) {
	if c.Ask == nil || cfg.Cluster() == nil || cfg.Cluster().Endpoint() == nil {
		return nil, errors.New("machine.ca has no key, and there is no cluster endpoint to ask for a certificate")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := stdx509.CreateCertificateRequest(rand.Reader, &stdx509.CertificateRequest{
		Subject: pkix.Name{CommonName: want.name}, DNSNames: want.sans.DNSNames, IPAddresses: want.sans.StdIPs(),
	}, key)
	if err != nil {
		return nil, err
	}
	request := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	certificate, err := c.Ask.Sign(ctx, root, cfg.Cluster().Endpoint().Hostname(), request)
	if err != nil {
		return nil, fmt.Errorf("ask %s for a certificate: %w", cfg.Cluster().Endpoint().Hostname(), err)
	}
	encoded, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	if _, err := tls.X509KeyPair(certificate, encoded); err != nil {
		return nil, fmt.Errorf("certificate from trustd: %w", err)
	}
	return &x509.PEMEncodedCertificateAndKey{Crt: certificate, Key: encoded}, nil
}

// TrustdAsker asks the trustd of a control plane machine.
type TrustdAsker struct{}

// Sign implements Asker. The machine's token goes only to a server that the CA in the configuration vouches for.
func (TrustdAsker) Sign(ctx context.Context, root *secrets.OSRootSpec, endpoint string, request []byte) ([]byte, error) {
	accepted := stdx509.NewCertPool()
	for _, ca := range root.AcceptedCAs {
		accepted.AppendCertsFromPEM(ca.Crt)
	}
	conn, err := grpc.NewClient("passthrough:///"+net.JoinHostPort(endpoint, strconv.Itoa(constants.TrustdPort)),
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13, RootCAs: accepted})), grpc.WithNoProxy())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "token", root.Token)
	answer, err := security.NewSecurityServiceClient(conn).Certificate(ctx, &security.CertificateRequest{Csr: request})
	if err != nil {
		return nil, err
	}
	return answer.Crt, nil
}
