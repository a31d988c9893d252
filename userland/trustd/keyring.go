// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	stdx509 "crypto/x509"
	"errors"
	"fmt"
	"sync"

	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"
)

var errNoSecrets = errors.New("this machine has no secrets to issue certificates with")

// keyring holds the secrets of now; they change with the configuration and with each renewal.
type keyring struct {
	mu     sync.Mutex
	server *tls.Certificate
	issuer *issuer
}

// issuer is what certificates are made with.
type issuer struct {
	token       [sha256.Size]byte // of the token, so that comparing takes the same time for every length
	certificate *stdx509.Certificate
	key         crypto.Signer
	accepted    []byte // PEM, of every authority that nodes trust
}

// follow keeps up with the resources until ctx ends or the watch breaks.
func (k *keyring) follow(ctx context.Context, resources state.State) error {
	events := make(chan state.Event)
	if err := resources.Watch(ctx, secrets.NewTrustd().Metadata(), events); err != nil {
		return err
	}
	if err := resources.Watch(ctx, secrets.NewOSRoot(secrets.OSRootID).Metadata(), events); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case event := <-events:
			if event.Type == state.Errored {
				return fmt.Errorf("follow the secrets: %w", event.Error)
			}
			if err := k.take(event); err != nil {
				return err
			}
		}
	}
}

func (k *keyring) take(event state.Event) error {
	gone := event.Type == state.Destroyed
	switch r := event.Resource.(type) {
	case *secrets.Trustd:
		return k.takeServer(r.TypedSpec(), gone)
	case *secrets.OSRoot:
		return k.takeIssuer(r.TypedSpec(), gone)
	}
	return nil // the placeholder that a watch sends for what does not exist yet
}

func (k *keyring) takeServer(spec *secrets.TrustdCertsSpec, gone bool) error {
	var pair *tls.Certificate
	if !gone && spec.Server != nil {
		made, err := tls.X509KeyPair(spec.Server.Crt, spec.Server.Key)
		if err != nil {
			return fmt.Errorf("certificate of trustd: %w", err)
		}
		pair = &made
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.server = pair
	return nil
}

func (k *keyring) takeIssuer(spec *secrets.OSRootSpec, gone bool) error {
	var made *issuer
	// A worker knows the authority, but not its key; an empty token would let everybody in.
	if !gone && spec.IssuingCA != nil && len(spec.IssuingCA.Key) > 0 && spec.Token != "" {
		pair, err := tls.X509KeyPair(spec.IssuingCA.Crt, spec.IssuingCA.Key)
		if err != nil {
			return fmt.Errorf("certificate authority: %w", err)
		}
		key, ok := pair.PrivateKey.(crypto.Signer)
		if !ok || !pair.Leaf.IsCA {
			return errors.New("certificate authority: expected a certificate of an authority with its key")
		}
		var accepted [][]byte
		for _, ca := range spec.AcceptedCAs {
			accepted = append(accepted, ca.Crt)
		}
		made = &issuer{token: sha256.Sum256([]byte(spec.Token)), certificate: pair.Leaf, key: key, accepted: bytes.Join(accepted, nil)}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.issuer = made
	return nil
}

// certificate is for tls.Config.
func (k *keyring) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.server == nil {
		return nil, errNoSecrets
	}
	return k.server, nil
}

func (k *keyring) current() (*issuer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.issuer == nil {
		return nil, errNoSecrets
	}
	return k.issuer, nil
}

// knows compares in constant time.
func (i *issuer) knows(token string) bool {
	sum := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(sum[:], i.token[:]) == 1
}
