// SPDX-License-Identifier: Apache-2.0

// Package trustclient gets a worker the certificate of its machine API from trustd on a control plane node. The server
// is known by the cluster's certificate authority; this side is known by the cluster's token.
// Spec: securityapi.SecurityService; the token travels as the gRPC metadata "token".
package trustclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/security"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

const tryLimit = 10 * time.Second

// Request is what there is to ask and whom.
type Request struct {
	Endpoints   []string // hosts or addresses, with or without a port
	Token       string
	AcceptedCAs []byte // PEM, at least one
	CSR         []byte // PEM
}

// Answer holds PEM: the certificate, and the authorities that nodes of the cluster trust.
type Answer struct {
	CA, Certificate []byte
}

func (r Request) check() error {
	if len(r.Endpoints) == 0 {
		return errors.New("certificate request: no endpoint of a control plane is known")
	}
	if r.Token == "" {
		return errors.New("certificate request: the token is empty")
	}
	if !x509.NewCertPool().AppendCertsFromPEM(r.AcceptedCAs) {
		return errors.New("certificate request: no certificate authority is known")
	}
	return nil
}

// Try asks each endpoint once, from a random one on, until one answers. The error joins those of all.
func Try(ctx context.Context, r Request) (Answer, error) {
	if err := r.check(); err != nil {
		return Answer{}, err
	}
	var failures []error
	first := rand.IntN(len(r.Endpoints))
	for i := range r.Endpoints {
		endpoint := r.Endpoints[(first+i)%len(r.Endpoints)]
		answer, err := r.ask(ctx, endpoint)
		if err == nil {
			return answer, nil
		}
		failures = append(failures, fmt.Errorf("certificate from %s: %w", endpoint, err))
	}
	return Answer{}, errors.Join(failures...)
}

func (r Request) ask(ctx context.Context, endpoint string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, tryLimit)
	defer cancel()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(r.AcceptedCAs)
	conn, err := grpc.NewClient("passthrough:///"+withPort(endpoint), grpc.WithNoProxy(),
		grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots})),
		grpc.WithPerRPCCredentials(token(r.Token)))
	if err != nil {
		return Answer{}, err
	}
	defer conn.Close()
	got, err := security.NewSecurityServiceClient(conn).Certificate(ctx, &security.CertificateRequest{Csr: r.CSR})
	if err != nil {
		return Answer{}, err
	}
	answer := Answer{CA: got.GetCa(), Certificate: got.GetCrt()}
	return answer, r.verify(answer)
}

// verify makes sure that the certificate is for our key and from an authority that we knew before.
func (r Request) verify(a Answer) error {
	request, _ := pem.Decode(r.CSR)
	block, _ := pem.Decode(a.Certificate)
	if request == nil || block == nil {
		return errors.New("answer has no certificate")
	}
	asked, err := x509.ParseCertificateRequest(request.Bytes)
	if err != nil {
		return err
	}
	got, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	if !bytes.Equal(got.RawSubjectPublicKeyInfo, asked.RawSubjectPublicKeyInfo) {
		return errors.New("answer has the certificate of another key")
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(r.AcceptedCAs)
	_, err = got.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	return err
}

func withPort(endpoint string) string {
	if _, _, err := net.SplitHostPort(endpoint); err == nil {
		return endpoint
	}
	host := strings.TrimSuffix(strings.TrimPrefix(endpoint, "["), "]")
	return net.JoinHostPort(host, strconv.Itoa(constants.TrustdPort))
}

// token is sent with every call, and never without TLS.
type token string

func (t token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"token": string(t)}, nil
}

func (token) RequireTransportSecurity() bool { return true }
