// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	stdx509 "crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/impl/inmem"
	"github.com/cosi-project/runtime/pkg/state/impl/namespaced"
	"github.com/siderolabs/crypto/x509"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"
	"google.golang.org/grpc/codes"

	"dodeka/userland/internal/trustclient"
)

const patience = 3 * time.Minute

// cluster is a trustd on loopback with the authority that it signs for.
type cluster struct {
	state   state.State
	ca      *x509.CertificateAuthority
	address string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	ca, err := x509.NewSelfSignedCertificateAuthority(x509.ECDSA(true), x509.Organization("os"))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{state: state.WrapCore(namespaced.NewState(inmem.Build)), ca: ca, address: listener.Addr().String()}
	keys := &keyring{}
	server := newServer(keys, func(string, ...any) {})
	ctx, cancel := context.WithCancel(context.Background())
	followed := make(chan error, 1)
	go func() { followed <- keys.follow(ctx, c.state) }()
	go server.Serve(listener)
	t.Cleanup(func() {
		server.Stop()
		cancel()
		if err := <-followed; err != nil {
			t.Error(err)
		}
	})
	pair, err := x509.NewKeyPair(ca, x509.IPAddresses([]net.IP{net.IPv4(127, 0, 0, 1)}), x509.CommonName("cp"),
		x509.ExtKeyUsage([]stdx509.ExtKeyUsage{stdx509.ExtKeyUsageServerAuth}))
	if err != nil {
		t.Fatal(err)
	}
	trustd := secrets.NewTrustd()
	trustd.TypedSpec().Server = x509.NewCertificateAndKeyFromKeyPair(pair)
	c.create(t, trustd)
	return c
}

func (c *cluster) create(t *testing.T, r resource.Resource) {
	t.Helper()
	if err := c.state.Create(context.Background(), r); err != nil {
		t.Fatal(err)
	}
}

func (c *cluster) giveSecrets(t *testing.T, token string) {
	t.Helper()
	root := secrets.NewOSRoot(secrets.OSRootID)
	root.TypedSpec().IssuingCA = &x509.PEMEncodedCertificateAndKey{Crt: c.ca.CrtPEM, Key: c.ca.KeyPEM}
	root.TypedSpec().AcceptedCAs = []*x509.PEMEncodedCertificate{{Crt: c.ca.CrtPEM}}
	root.TypedSpec().Token = token
	c.create(t, root)
}

func (c *cluster) request(token string, csr []byte) trustclient.Request {
	return trustclient.Request{Endpoints: []string{c.address}, Token: token, AcceptedCAs: c.ca.CrtPEM, CSR: csr}
}

// ask waits out the time until the secrets have arrived, and whatever a busy machine takes for a connection.
func (c *cluster) ask(t *testing.T, token string, csr []byte) (trustclient.Answer, error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		answer, err := trustclient.Try(context.Background(), c.request(token, csr))
		if err == nil || time.Now().After(deadline) || !(strings.Contains(err.Error(), codes.Unavailable.String()) ||
			strings.Contains(err.Error(), codes.DeadlineExceeded.String())) {
			return answer, err
		}
	}
}

func signingRequest(t *testing.T, template stdx509.CertificateRequest) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := stdx509.CreateCertificateRequest(rand.Reader, &template, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

var worker = stdx509.CertificateRequest{
	Subject:  pkix.Name{CommonName: "worker", Organization: []string{"os:admin"}},
	DNSNames: []string{"worker"}, IPAddresses: []net.IP{net.IPv4(10, 0, 0, 2).To4()},
}

func TestWorkerGetsACertificateForAServerOnly(t *testing.T) {
	c := newCluster(t)
	c.giveSecrets(t, "abc.def")
	answer, err := c.ask(t, "abc.def", signingRequest(t, worker))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(answer.Certificate)
	got, err := stdx509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if got.Subject.String() != "CN=worker" || got.IsCA || got.KeyUsage != stdx509.KeyUsageDigitalSignature ||
		len(got.ExtKeyUsage) != 1 || got.ExtKeyUsage[0] != stdx509.ExtKeyUsageServerAuth {
		t.Errorf("certificate: %v %v %v", got.Subject, got.KeyUsage, got.ExtKeyUsage)
	}
	if len(got.DNSNames) != 1 || len(got.IPAddresses) != 1 || got.NotAfter.Sub(got.NotBefore) != lifetime+clockError {
		t.Errorf("certificate: %v %v %v %v", got.DNSNames, got.IPAddresses, got.NotBefore, got.NotAfter)
	}
	roots := stdx509.NewCertPool()
	roots.AppendCertsFromPEM(answer.CA)
	if _, err := got.Verify(stdx509.VerifyOptions{Roots: roots, KeyUsages: []stdx509.ExtKeyUsage{stdx509.ExtKeyUsageClientAuth}}); err == nil {
		t.Error("the certificate is good for a client")
	}
}

func TestRefusals(t *testing.T) {
	c := newCluster(t)
	c.giveSecrets(t, "abc.def")
	good := signingRequest(t, worker)
	for _, tc := range []struct {
		name, token string
		csr         []byte
		want        codes.Code
	}{
		{"wrong token", "abc.deg", good, codes.Unauthenticated},
		{"long token", strings.Repeat("a", maxTokenSize+1), good, codes.Unauthenticated},
		{"wrong token and request", "x", []byte("x"), codes.Unauthenticated},
		{"no request", "abc.def", nil, codes.InvalidArgument},
		{"large request", "abc.def", make([]byte, maxRequest+1), codes.ResourceExhausted},
	} {
		_, err := c.ask(t, tc.token, tc.csr)
		if err == nil || !strings.Contains(err.Error(), "code = "+tc.want.String()) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	root := secrets.NewOSRoot(secrets.OSRootID)
	if err := c.state.Destroy(context.Background(), root.Metadata()); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Second) { // slower than the limit of calls
		_, err := trustclient.Try(context.Background(), c.request("abc.def", good))
		if err != nil && strings.Contains(err.Error(), errNoSecrets.Error()) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("without secrets: %v", err)
		}
	}
}

func TestParseRequest(t *testing.T) {
	many := worker
	many.DNSNames = strings.Split(strings.Repeat("a,", maxNames)+"a", ",")
	none := stdx509.CertificateRequest{Subject: worker.Subject}
	good := signingRequest(t, worker)
	block, _ := pem.Decode(good)
	block.Bytes[len(block.Bytes)-1] ^= 1
	weakKey, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	der, err := stdx509.CreateCertificateRequest(rand.Reader, &worker, weakKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, want string
		text       []byte
	}{
		{"good", "", good},
		{"twice", "expected one PEM block", append(append([]byte{}, good...), good...)},
		{"certificate", "expected one PEM block", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes})},
		{"cut", "signing request: ", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: block.Bytes[:50]})},
		{"signature", "signing request: ", pem.EncodeToMemory(block)},
		{"weak", "RSA key of 1024 bits", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})},
		{"no names", "0 names and addresses", signingRequest(t, none)},
		{"many names", "130 names and addresses", signingRequest(t, many)},
	} {
		_, err := parseRequest(tc.text)
		if (err == nil) != (tc.want == "") || (err != nil && !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestKeyringRefusesDamage(t *testing.T) {
	ca, err := x509.NewSelfSignedCertificateAuthority(x509.ECDSA(true))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		spec   secrets.OSRootSpec
		issues bool
		fails  bool
	}{
		{"whole", secrets.OSRootSpec{Token: "t", IssuingCA: &x509.PEMEncodedCertificateAndKey{Crt: ca.CrtPEM, Key: ca.KeyPEM}}, true, false},
		{"no token", secrets.OSRootSpec{IssuingCA: &x509.PEMEncodedCertificateAndKey{Crt: ca.CrtPEM, Key: ca.KeyPEM}}, false, false},
		{"no key", secrets.OSRootSpec{Token: "t", IssuingCA: &x509.PEMEncodedCertificateAndKey{Crt: ca.CrtPEM}}, false, false},
		{"nothing", secrets.OSRootSpec{}, false, false},
		{"not PEM", secrets.OSRootSpec{Token: "t", IssuingCA: &x509.PEMEncodedCertificateAndKey{Crt: []byte("x"), Key: []byte("y")}}, false, true},
	} {
		k := &keyring{}
		err := k.takeIssuer(&tc.spec, false)
		i, missing := k.current()
		if (err != nil) != tc.fails || (missing == nil) != tc.issues || (i != nil && (!i.knows("t") || i.knows("") || i.knows("tt"))) {
			t.Errorf("%s: %v, %v", tc.name, err, missing)
		}
	}
	if _, err := (&keyring{}).certificate(nil); err == nil {
		t.Error("a certificate from nowhere")
	}
}

func TestLimits(t *testing.T) {
	now := time.Unix(1e9, 0)
	l := newLimits(func() time.Time { return now })
	count := func(host string) (n int) {
		for range 2 * burst {
			if l.allow(netip.MustParseAddr(host)) {
				n++
			}
		}
		return n
	}
	if a, b := count("192.0.2.1"), count("192.0.2.2"); a != burst || b != burst {
		t.Errorf("burst %d, %d", a, b)
	}
	now = now.Add(3 * interval)
	if n := count("192.0.2.1"); n != 3 {
		t.Errorf("after three intervals: %d", n)
	}
	for i := range 2 * maxHosts {
		l.allow(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	if len(l.debts) > maxHosts || count("192.0.2.3") != 0 {
		t.Errorf("%d hosts; the shared bucket is not empty", len(l.debts))
	}
	now = now.Add(time.Hour)
	if n := count("192.0.2.3"); n != burst || len(l.debts) != 1 {
		t.Errorf("after an hour: %d calls, %d hosts", n, len(l.debts))
	}
}

func TestClientRefusesAnotherServer(t *testing.T) {
	c := newCluster(t)
	other, err := x509.NewSelfSignedCertificateAuthority(x509.ECDSA(true))
	if err != nil {
		t.Fatal(err)
	}
	r := c.request("abc.def", signingRequest(t, worker))
	r.AcceptedCAs = other.CrtPEM
	if _, err := trustclient.Try(context.Background(), r); err == nil {
		t.Error("a server of another authority was asked")
	}
}
