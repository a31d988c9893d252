// SPDX-License-Identifier: Apache-2.0

package hostrun

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net"
	"sync"
	"testing"
	"time"

	x509crypto "github.com/siderolabs/crypto/x509"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/client"
	clientconfig "github.com/siderolabs/talos/pkg/machinery/client/config"
	machineryconfig "github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/generate"
	"github.com/siderolabs/talos/pkg/machinery/config/generate/secrets"
	machinetype "github.com/siderolabs/talos/pkg/machinery/config/machine"
	"github.com/siderolabs/talos/pkg/machinery/role"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// cluster is what "talosctl gen config" makes.
type cluster struct {
	config []byte
	bundle *secrets.Bundle
}

// newCluster gives each test a CA of its own; the other secrets are the same, as RSA keys are slow to make.
func newCluster(t *testing.T) cluster {
	t.Helper()
	shared, err := sharedSecrets()
	if err != nil {
		t.Fatal(err)
	}
	ca, err := secrets.NewTalosCA(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	bundle, certs := *shared, *shared.Certs
	certs.OS = x509crypto.NewCertificateAndKeyFromCertificateAuthority(ca)
	bundle.Certs = &certs
	input, err := generate.NewInput("test", "https://10.0.0.1:6443", "1.34.0", generate.WithSecretsBundle(&bundle))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := input.Config(machinetype.TypeControlPlane)
	if err != nil {
		t.Fatal(err)
	}
	text, err := cfg.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return cluster{text, &bundle}
}

var sharedSecrets = sync.OnceValues(func() (*secrets.Bundle, error) {
	// Before 1.7 no RSA key is part of it.
	return secrets.NewBundle(secrets.NewClock(), machineryconfig.TalosVersion1_6)
})

// clientOf makes the client that a talosconfig with these roles makes.
func (c cluster) clientOf(t *testing.T, h *Host, life time.Duration, roles ...role.Role) *client.Client {
	t.Helper()
	pair, err := secrets.NewAdminCertificateAndKey(time.Now().Add(-time.Minute), c.bundle.Certs.OS, role.MakeSet(roles...), life)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.StdEncoding.EncodeToString
	made, err := client.New(t.Context(), client.WithConfigContext(&clientconfig.Context{
		Endpoints: []string{h.Address}, CA: encode(c.bundle.Certs.OS.Crt), Crt: encode(pair.Crt), Key: encode(pair.Key),
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = made.Close() })
	return made
}

func start(t *testing.T, options Options) *Host {
	t.Helper()
	options.Dir, options.Log = t.TempDir(), t.Logf
	h, err := Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

func TestVersionThroughAPID(t *testing.T) {
	c := newCluster(t)
	h := start(t, Options{Config: c.config})
	admin := c.clientOf(t, h, time.Hour, role.Admin)
	answer, err := admin.Version(t.Context())
	if err != nil || answer.Messages[0].Version.Tag != "v0.0.0-hostrun" {
		t.Fatalf("got %v (%v)", answer, err)
	}
	answer, err = admin.Version(client.WithNodes(t.Context(), "127.0.0.1"))
	if err != nil || answer.Messages[0].Metadata.GetHostname() != "127.0.0.1" {
		t.Errorf("for a node: got %v (%v)", answer, err)
	}
}

func TestCallersThatAreRefused(t *testing.T) {
	ours, other := newCluster(t), newCluster(t)
	h := start(t, Options{Config: ours.config})
	tests := []struct {
		name   string
		caller *client.Client
		want   codes.Code
	}{
		{"another CA", other.clientOf(t, h, time.Hour, role.Admin), codes.Unavailable},
		{"expired", ours.clientOf(t, h, time.Second, role.Admin), codes.Unavailable},
		{"no role", ours.clientOf(t, h, time.Hour), codes.PermissionDenied},
		{"unknown role", ours.clientOf(t, h, time.Hour, "os:nobody"), codes.PermissionDenied},
	}
	for _, tc := range tests {
		if _, err := tc.caller.Version(t.Context()); status.Code(err) != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
	}
}

func TestMaintenanceAsksForNoCertificate(t *testing.T) {
	h := start(t, Options{})
	insecure, err := client.New(t.Context(), client.WithTLSConfig(&tls.Config{InsecureSkipVerify: true}), client.WithEndpoints(h.Address))
	if err != nil {
		t.Fatal(err)
	}
	defer insecure.Close()
	if _, err := insecure.Version(t.Context()); err != nil {
		t.Error(err)
	}
	if err := insecure.Reboot(t.Context()); status.Code(err) != codes.PermissionDenied {
		t.Errorf("reboot: %v", err)
	}
}

// TestGarbageLeavesTheServerUp speaks no TLS, no HTTP/2 and no gRPC.
func TestGarbageLeavesTheServerUp(t *testing.T) {
	c := newCluster(t)
	h := start(t, Options{Config: c.config})
	for _, bytes := range []string{"", "GET / HTTP/1.0\r\n\r\n", "\x16\x03\x01\xff\xff" + string(make([]byte, 70000))} {
		conn, err := net.Dial("tcp", h.Address)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(bytes))
		_ = conn.Close()
	}
	admin := c.clientOf(t, h, time.Hour, role.Admin)
	if _, err := admin.Version(t.Context()); err != nil {
		t.Error(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.bundle.Certs.OS.Crt)
	bare, err := grpc.NewClient(h.Address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: pool})))
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Close()
	if err := bare.Invoke(t.Context(), "/nobody/knows", nil, nil); err == nil {
		t.Error("a caller without certificate got an answer")
	}
}

func TestApplyInMaintenanceNeedsTheCode(t *testing.T) {
	c := newCluster(t)
	h := start(t, Options{})
	insecure, err := client.New(t.Context(), client.WithTLSConfig(&tls.Config{InsecureSkipVerify: true}), client.WithEndpoints(h.Address))
	if err != nil {
		t.Fatal(err)
	}
	defer insecure.Close()
	apply := func(code string) error {
		_, err := insecure.ApplyConfiguration(t.Context(), &machine.ApplyConfigurationRequest{
			Data: append([]byte("# dodeka-code: "+code+"\n"), c.config...),
		})
		return err
	}
	if err := apply("AAAA-AAAA"); err == nil || h.Settings.Complete() {
		t.Fatalf("a wrong code: %v", err)
	}
	if err := apply(h.Gate.Code()); err != nil {
		t.Fatal(err)
	}
	admin := c.clientOf(t, h, time.Hour, role.Admin)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if _, err = admin.Version(t.Context()); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("apid did not take the new CA: %v", err)
		}
	}
	if _, err := insecure.Version(t.Context()); err == nil {
		t.Error("a caller without certificate is still answered")
	}
	reader := c.clientOf(t, h, time.Hour, role.Reader)
	if _, err := reader.ApplyConfiguration(t.Context(), &machine.ApplyConfigurationRequest{Data: c.config}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("apply by a reader: %v", err)
	}
}
