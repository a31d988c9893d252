// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"crypto/tls"
	stdx509 "crypto/x509"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/siderolabs/crypto/x509"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"

	"dodeka/userland/internal/osidentity"
)

// Files of the folder that the container sees. A certificate and its key are in one file, so that etcd, which reads them
// with every connection, never gets two that do not belong together.
const (
	authorityFile = "ca.crt"
	serverFile    = "server.pem"
	peerFile      = "peer.pem"

	look = time.Minute // at the clock, the addresses and the names
)

// Members are clients of each other, and etcd is one of itself where it serves HTTP.
var bothUses = []stdx509.ExtKeyUsage{stdx509.ExtKeyUsageServerAuth, stdx509.ExtKeyUsageClientAuth}

// issued remembers for what the files were made, and when.
type issued struct {
	at   time.Time
	sans *secrets.CertSANSpec
}

// keepCertificates renews them at half of their life, and when addresses or names change.
func (s *Service) keepCertificates(ctx context.Context, log io.Writer) {
	for sleep(ctx, look) == nil {
		if err := s.renew(ctx); err != nil && ctx.Err() == nil {
			fmt.Fprintf(log, "renew certificates: %v\n", err)
		}
	}
}

// renew writes the certificates unless those that are there still fit.
func (s *Service) renew(ctx context.Context) error {
	sans, err := osidentity.Names(ctx, s.State)
	if err != nil {
		return err
	}
	now, was := s.Now(), s.issued
	if was.sans != nil && osidentity.Fresh(was.at, now) && slices.Equal(was.sans.IPs, sans.IPs) && slices.Equal(was.sans.DNSNames, sans.DNSNames) {
		return nil
	}
	ca := s.Cluster.Etcd().CA()
	files := map[string][]byte{authorityFile: ca.Crt}
	for _, name := range []string{serverFile, peerFile} {
		pair, err := osidentity.Issue(ca, now, osidentity.Leaf{Name: sans.FQDN, Uses: bothUses, SANs: sans})
		if err != nil {
			return err
		}
		files[name] = slices.Concat(pair.Crt, pair.Key)
	}
	if err := s.ownFolder(s.certificates()); err != nil {
		return err
	}
	for name, content := range files {
		if err := s.hand(filepath.Join(s.certificates(), name), content); err != nil {
			return err
		}
	}
	s.issued = issued{now, sans}
	return nil
}

// hand replaces a file that the container reads.
func (s *Service) hand(path string, content []byte) error {
	next := path + ".new"
	if err := remove(next); err != nil {
		return err
	}
	if err := os.WriteFile(next, content, 0o400); err != nil {
		return err
	}
	if err := os.Chown(next, s.Owner, s.Owner); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// clientTLS is for this process: each connection has a certificate of its own, so that none grows old.
func (s *Service) clientTLS() (*tls.Config, error) {
	ca := s.Cluster.Etcd().CA()
	roots := stdx509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca.Crt) {
		return nil, fmt.Errorf("cluster.etcd.ca.crt: has no certificate")
	}
	return &tls.Config{
		RootCAs: roots, MinVersion: tls.VersionTLS12, ServerName: "localhost",
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return clientPair(ca, s.Now()) },
	}, nil
}

func clientPair(ca *x509.PEMEncodedCertificateAndKey, now time.Time) (*tls.Certificate, error) {
	pair, err := osidentity.Issue(ca, now, osidentity.Leaf{Name: "dodeka", Uses: []stdx509.ExtKeyUsage{stdx509.ExtKeyUsageClientAuth}})
	if err != nil {
		return nil, err
	}
	certificate, err := tls.X509KeyPair(pair.Crt, pair.Key)
	return &certificate, err
}

func (s *Service) certificates() string { return filepath.Join(s.Memory, "pki") }
