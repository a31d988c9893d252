// SPDX-License-Identifier: Apache-2.0

package osidentity

import (
	"bytes"
	"context"
	stdx509 "crypto/x509"
	"encoding/pem"
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/crypto/x509"
	"github.com/siderolabs/talos/pkg/machinery/config/container"
	gensecrets "github.com/siderolabs/talos/pkg/machinery/config/generate/secrets"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"
	"github.com/siderolabs/talos/pkg/machinery/resources/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"
	timestatus "github.com/siderolabs/talos/pkg/machinery/resources/time"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"dodeka/userland/internal/osstate"
)

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type machine struct {
	state.State
	clock *clock
	t     *testing.T
}

func start(t *testing.T, asker Asker) machine {
	t.Helper()
	resources, err := osstate.NewLogged(t.Context(), zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel)))
	if err != nil {
		t.Fatal(err)
	}
	m := machine{resources.State, &clock{now: time.Now()}, t}
	if err := resources.Runtime.RegisterController(&Controller{Now: m.clock.Now, Ask: asker}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { _ = resources.Runtime.Run(ctx) })
	t.Cleanup(func() { cancel(); done.Wait() })
	return m
}

// api waits until the certificates are as wanted.
func (m machine) api(wanted func(*secrets.APICertsSpec, *stdx509.Certificate) bool) *secrets.APICertsSpec {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 20*time.Second)
	defer cancel()
	got, err := m.WatchFor(ctx, secrets.NewAPI().Metadata(), state.WithCondition(func(r resource.Resource) (bool, error) {
		api, ok := r.(*secrets.API)
		return ok && api.TypedSpec().Server != nil && wanted(api.TypedSpec(), parse(m.t, api.TypedSpec().Server.Crt)), nil
	}))
	if err != nil {
		m.t.Fatalf("certificates do not come to be as wanted: %v", err)
	}
	return got.(*secrets.API).TypedSpec()
}

func parse(t *testing.T, text []byte) *stdx509.Certificate {
	t.Helper()
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatal("no PEM")
	}
	certificate, err := stdx509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func newCA(t *testing.T) *x509.PEMEncodedCertificateAndKey {
	t.Helper()
	ca, err := gensecrets.NewTalosCA(time.Now().Add(-time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return x509.NewCertificateAndKeyFromCertificateAuthority(ca)
}

func (m machine) configure(ca *x509.PEMEncodedCertificateAndKey) {
	m.t.Helper()
	provider, err := container.New(&v1alpha1.Config{
		MachineConfig: &v1alpha1.MachineConfig{MachineCA: ca, MachineToken: "token", MachineCertSANs: []string{"api.example", "192.0.2.7"}},
		ClusterConfig: &v1alpha1.ClusterConfig{ControlPlane: &v1alpha1.ControlPlaneConfig{Endpoint: endpoint(m.t)}},
	})
	if err == nil {
		err = m.Create(m.t.Context(), config.NewMachineConfig(provider))
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

func TestMaintenanceHasACertificateOfItsOwn(t *testing.T) {
	m := start(t, nil)
	spec := m.api(func(s *secrets.APICertsSpec, _ *stdx509.Certificate) bool { return s.SkipVerifyingClientCert })
	if spec.Client != nil || len(spec.AcceptedCAs) != 1 {
		t.Errorf("got client %v, %d CAs", spec.Client, len(spec.AcceptedCAs))
	}
	settings, err := m.WatchFor(t.Context(), runtime.NewAPIServiceConfig().Metadata(), state.WithEventTypes(state.Created))
	if err != nil || !settings.(*runtime.APIServiceConfig).TypedSpec().ReadonlyRoleMode {
		t.Errorf("got %v (%v)", settings, err)
	}
}

func TestConfigurationBringsItsCA(t *testing.T) {
	m := start(t, nil)
	m.api(func(s *secrets.APICertsSpec, _ *stdx509.Certificate) bool { return s.SkipVerifyingClientCert })
	ca := newCA(t)
	m.configure(ca)
	spec := m.api(func(s *secrets.APICertsSpec, _ *stdx509.Certificate) bool { return !s.SkipVerifyingClientCert })
	pool := stdx509.NewCertPool()
	pool.AppendCertsFromPEM(ca.Crt)
	leaf := parse(t, spec.Server.Crt)
	for _, name := range []string{"api.example", "192.0.2.7", "localhost", "127.0.0.1"} {
		if _, err := leaf.Verify(stdx509.VerifyOptions{Roots: pool, DNSName: name}); err != nil {
			t.Error(err)
		}
	}
	if life := leaf.NotAfter.Sub(leaf.NotBefore); life != leafLife+leafSkew || leaf.PublicKeyAlgorithm != stdx509.ECDSA {
		t.Errorf("life %s, key %s", life, leaf.PublicKeyAlgorithm)
	}
	client := parse(t, spec.Client.Crt)
	if !slices.Equal(client.Subject.Organization, []string{"os:impersonator"}) || client.ExtKeyUsage[0] != stdx509.ExtKeyUsageClientAuth {
		t.Errorf("client %v", client.Subject)
	}
	if _, err := m.WatchFor(t.Context(), secrets.NewMaintenanceRoot(secrets.MaintenanceRootID).Metadata(), state.WithEventTypes(state.Destroyed)); err != nil {
		t.Error(err)
	}
	root, err := safe.StateGetByID[*secrets.OSRoot](t.Context(), m, secrets.OSRootID)
	if err != nil || root.TypedSpec().Token != "token" {
		t.Errorf("got %v (%v)", root, err)
	}
}

func TestLeafIsRenewed(t *testing.T) {
	m := start(t, nil)
	ca := newCA(t)
	m.configure(ca)
	first := m.api(func(s *secrets.APICertsSpec, _ *stdx509.Certificate) bool { return !s.SkipVerifyingClientCert }).Server.Crt
	renewed := func(s *secrets.APICertsSpec, _ *stdx509.Certificate) bool { return !bytes.Equal(s.Server.Crt, first) }

	addresses := network.NewNodeAddress(network.NamespaceName, network.NodeAddressCurrentID)
	addresses.TypedSpec().Addresses = []netip.Prefix{netip.MustParsePrefix("198.51.100.3/24")}
	if err := m.Create(t.Context(), addresses); err != nil {
		t.Fatal(err)
	}
	first = m.api(func(_ *secrets.APICertsSpec, c *stdx509.Certificate) bool {
		return c.VerifyHostname("198.51.100.3") == nil
	}).Server.Crt

	m.clock.add(leafLife/2 + time.Minute)
	clockMoved(t, m)
	first = m.api(renewed).Server.Crt

	m.clock.add(-leafLife) // the clock was wrong before
	if _, err := safe.StateUpdateWithConflicts(t.Context(), m.State, timestatus.NewStatus().Metadata(), func(s *timestatus.Status) error {
		s.TypedSpec().Synced = true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	m.api(renewed)
}

func clockMoved(t *testing.T, m machine) {
	t.Helper()
	if err := m.Create(t.Context(), timestatus.NewStatus()); err != nil {
		t.Fatal(err)
	}
}

// asker signs as a trustd would, with the key that the machine does not have.
type asker struct {
	ca    *x509.PEMEncodedCertificateAndKey
	asked string
}

func (a *asker) Sign(_ context.Context, root *secrets.OSRootSpec, endpoint string, request []byte) ([]byte, error) {
	if root.Token != "token" {
		return nil, errors.New("wrong token")
	}
	a.asked = endpoint
	signed, err := x509.NewCertificateFromCSRBytes(a.ca.Crt, a.ca.Key, request)
	if err != nil {
		return nil, err
	}
	return signed.X509CertificatePEM, nil
}

func TestMachineWithoutTheKeyAsks(t *testing.T) {
	ca := newCA(t)
	with := &asker{ca: ca}
	m := start(t, with)
	m.configure(&x509.PEMEncodedCertificateAndKey{Crt: ca.Crt})
	spec := m.api(func(_ *secrets.APICertsSpec, leaf *stdx509.Certificate) bool {
		return leaf.VerifyHostname("api.example") == nil
	})
	if spec.Client != nil || with.asked != "10.5.0.2" || spec.SkipVerifyingClientCert {
		t.Errorf("asked %q, client %v, open %v", with.asked, spec.Client, spec.SkipVerifyingClientCert)
	}
}

// silent is a trustd that does not answer.
type silent struct{}

func (silent) Sign(ctx context.Context, _ *secrets.OSRootSpec, _ string, _ []byte) ([]byte, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestConfiguredMachineIsNotOpen: whoever keeps the machine from its certificate must not keep its API open to readers.
func TestConfiguredMachineIsNotOpen(t *testing.T) {
	withoutKey := &x509.PEMEncodedCertificateAndKey{Crt: newCA(t).Crt}
	for _, tc := range []struct {
		name  string
		asker Asker
		ca    *x509.PEMEncodedCertificateAndKey
	}{
		{"nobody to ask", nil, withoutKey},
		{"no answer", silent{}, withoutKey},
		{"no CA", nil, nil},
		{"a CA that is none", nil, &x509.PEMEncodedCertificateAndKey{Crt: []byte("x"), Key: []byte("y")}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := start(t, tc.asker)
			m.api(func(s *secrets.APICertsSpec, _ *stdx509.Certificate) bool { return s.SkipVerifyingClientCert })
			m.configure(tc.ca)
			m.api(func(s *secrets.APICertsSpec, _ *stdx509.Certificate) bool { return !s.SkipVerifyingClientCert })
			closed := func(r resource.Resource) (bool, error) {
				settings, ok := r.(*runtime.APIServiceConfig)
				return ok && *settings.TypedSpec() == runtime.APIServiceConfigSpec{ListenAddress: ":50000"}, nil
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if _, err := m.WatchFor(ctx, runtime.NewAPIServiceConfig().Metadata(), state.WithCondition(closed)); err != nil {
				t.Error(err)
			}
		})
	}
}

func endpoint(t *testing.T) *v1alpha1.Endpoint {
	t.Helper()
	parsed, err := url.Parse("https://10.5.0.2:6443")
	if err != nil {
		t.Fatal(err)
	}
	return &v1alpha1.Endpoint{URL: parsed}
}
