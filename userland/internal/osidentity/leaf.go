// SPDX-License-Identifier: Apache-2.0

package osidentity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	stdx509 "crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"

	"github.com/siderolabs/crypto/x509"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"
)

// Lifetimes. A leaf begins in the past, as the clocks of the machine and of its clients differ.
const (
	leafLife  = 24 * time.Hour
	leafSkew  = time.Hour
	caLife    = 10 * 365 * 24 * time.Hour
	pemCert   = "CERTIFICATE"
	pemKey    = "PRIVATE KEY" // PKCS #8
	serialLen = 127           // bits; RFC 5280 section 4.1.2.2 allows 20 octets
)

// Leaf is a certificate to be made.
type Leaf struct {
	Name          string
	Organisations []string
	Uses          []stdx509.ExtKeyUsage
	SANs          *secrets.CertSANSpec // nil for a client
}

// Fresh tells whether a leaf that was made at some time need not be renewed yet. A clock that went back makes it unfit as
// well as one that went on.
func Fresh(made, now time.Time) bool {
	age := now.Sub(made)
	return age >= -leafSkew/2 && age < leafLife/2
}

// Issue makes a key (ECDSA P-256, which every TLS client can verify) and has the CA sign it.
func Issue(ca *x509.PEMEncodedCertificateAndKey, now time.Time, want Leaf) (*x509.PEMEncodedCertificateAndKey, error) {
	authority, err := x509.NewCertificateAuthorityFromCertificateAndKey(ca)
	if err != nil {
		return nil, fmt.Errorf("read the CA: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := templateOf(now, want)
	if err != nil {
		return nil, err
	}
	der, err := stdx509.CreateCertificate(rand.Reader, template, authority.Crt, &key.PublicKey, authority.Key)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", want.Name, err)
	}
	encoded, err := encodeKey(key)
	return &x509.PEMEncodedCertificateAndKey{Crt: pem.EncodeToMemory(&pem.Block{Type: pemCert, Bytes: der}), Key: encoded}, err
}

func templateOf(now time.Time, want Leaf) (*stdx509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialLen))
	if err != nil {
		return nil, err
	}
	t := &stdx509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: want.Name, Organization: want.Organisations},
		NotBefore:    now.Add(-leafSkew), NotAfter: now.Add(leafLife),
		KeyUsage: stdx509.KeyUsageDigitalSignature, ExtKeyUsage: want.Uses,
		BasicConstraintsValid: true,
	}
	if want.SANs != nil {
		t.IPAddresses, t.DNSNames = want.SANs.StdIPs(), want.SANs.DNSNames
	}
	return t, nil
}

// selfMade makes a CA for a machine that has no configuration. Its key is forgotten at the next boot.
func selfMade(now time.Time) (*x509.PEMEncodedCertificateAndKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := templateOf(now, Leaf{Name: "maintenance"})
	if err != nil {
		return nil, err
	}
	template.NotAfter, template.IsCA = now.Add(caLife), true
	template.KeyUsage, template.ExtKeyUsage = stdx509.KeyUsageCertSign|stdx509.KeyUsageDigitalSignature, nil
	der, err := stdx509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	encoded, err := encodeKey(key)
	return &x509.PEMEncodedCertificateAndKey{Crt: pem.EncodeToMemory(&pem.Block{Type: pemCert, Bytes: der}), Key: encoded}, err
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := stdx509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der}), nil
}
