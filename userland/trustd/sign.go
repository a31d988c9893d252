// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

const (
	lifetime   = 24 * time.Hour
	clockError = time.Hour // nodes whose clock is late must accept it as well
	maxNames   = 128       // DNS names and addresses together
	minRSA     = 2048      // bits
)

// parseRequest reads a PEM signing request and checks all that the certificate will take from it.
func parseRequest(text []byte) (*x509.CertificateRequest, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE REQUEST" || len(rest) > 0 {
		return nil, errors.New("signing request: expected one PEM block of type CERTIFICATE REQUEST")
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("signing request: %w", err)
	}
	if n := len(request.DNSNames) + len(request.IPAddresses); n == 0 || n > maxNames {
		return nil, fmt.Errorf("signing request: %d names and addresses, expected 1 to %d", n, maxNames)
	}
	switch key := request.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSA {
			return nil, fmt.Errorf("signing request: RSA key of %d bits, expected %d or more", key.N.BitLen(), minRSA)
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return nil, fmt.Errorf("signing request: key is %T, expected RSA, ECDSA or Ed25519", key)
	}
	if err := request.CheckSignature(); err != nil {
		return nil, fmt.Errorf("signing request: %w", err)
	}
	return request, nil
}

// sign makes a certificate for a TLS server. Of the subject only the common name is taken: an organization would be a
// role of the machine API, if anybody took the certificate for a client's.
func (i *issuer) sign(request *x509.CertificateRequest, now time.Time) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial.Add(serial, big.NewInt(1)), // RFC 5280, 4.1.2.2: not zero
		Subject:      pkix.Name{CommonName: request.Subject.CommonName},
		NotBefore:    now.Add(-clockError), NotAfter: now.Add(lifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		DNSNames:              request.DNSNames, IPAddresses: request.IPAddresses,
	}
	made, err := x509.CreateCertificate(rand.Reader, template, i.certificate, request.PublicKey, i.key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made}), nil
}
