// SPDX-License-Identifier: Apache-2.0

package apiproxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"

	"github.com/siderolabs/talos/pkg/machinery/api/resource/definitions/secrets"
)

// certificates holds what the watch of the state delivered last. Each new connection uses the newest.
type certificates struct {
	mu       sync.RWMutex
	server   *tls.Certificate
	client   *tls.Certificate // for other machines' apid, nil where there is no forwarding
	accepted *x509.CertPool
}

// update takes all of a resource or nothing of it.
func (c *certificates) update(spec *secrets.APICertsSpec) error {
	if spec.Server == nil {
		return errors.New("there is no server certificate")
	}
	server, err := tls.X509KeyPair(spec.Server.Crt, spec.Server.Key)
	if err != nil {
		return fmt.Errorf("server certificate: %w", err)
	}
	var client *tls.Certificate
	if spec.Client != nil {
		pair, err := tls.X509KeyPair(spec.Client.Crt, spec.Client.Key)
		if err != nil {
			return fmt.Errorf("client certificate: %w", err)
		}
		client = &pair
	}
	accepted := x509.NewCertPool()
	for _, ca := range spec.AcceptedCAs {
		if !accepted.AppendCertsFromPEM(ca.Crt) {
			return errors.New("an accepted CA is not a PEM certificate")
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server, c.client, c.accepted = &server, client, accepted
	return nil
}

func (c *certificates) forwards() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.client != nil
}

// serverConfig asks clients for a certificate that an accepted CA issued for clients, unless open.
func (c *certificates) serverConfig(open bool) *tls.Config {
	build := func() *tls.Config {
		c.mu.RLock()
		defer c.mu.RUnlock()
		config := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{*c.server}, NextProtos: []string{"h2"}}
		if !open {
			config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, c.accepted
			config.VerifyConnection = onlyForClients
		}
		// A ticket would let a client of a CA that was taken away come back.
		config.SessionTicketsDisabled = true
		return config
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return build(), nil },
	}
}

// onlyForClients refuses certificates that a machine got for its server: trustd hands those out for a token, and they
// may name any organisation.
func onlyForClients(state tls.ConnectionState) error {
	leaf := state.PeerCertificates[0]
	if len(leaf.ExtKeyUsage) != 1 || leaf.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth || leaf.IsCA {
		return fmt.Errorf("certificate %q is not for clients only", leaf.Subject)
	}
	return nil
}

// clientConfig is for connections to other machines of the same CA.
func (c *certificates) clientConfig() (*tls.Config, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.client == nil {
		return nil, errors.New("this machine has no certificate for other machines")
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: c.accepted, Certificates: []tls.Certificate{*c.client}}, nil
}
