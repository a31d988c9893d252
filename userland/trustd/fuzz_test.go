// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ed25519"
	stdx509 "crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// FuzzParseRequest signs what is taken: of the request only names, addresses and the key may come through.
func FuzzParseRequest(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	authority := &stdx509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true}
	i := &issuer{certificate: authority, key: key}
	der, err := stdx509.CreateCertificateRequest(nil, &worker, key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, der []byte) {
		request, err := parseRequest(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
		if err != nil {
			return
		}
		text, err := i.sign(request, time.Unix(1<<31, 0))
		if err != nil {
			return // such as a name that a certificate cannot hold
		}
		block, _ := pem.Decode(text)
		made, err := stdx509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		if made.IsCA || len(made.Subject.Organization) > 0 || len(made.URIs)+len(made.EmailAddresses) > 0 ||
			len(made.DNSNames) != len(request.DNSNames) || len(made.IPAddresses) != len(request.IPAddresses) {
			t.Errorf("issued %v for %v", made.Subject, request.Subject)
		}
	})
}
