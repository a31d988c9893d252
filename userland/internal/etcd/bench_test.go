// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"bytes"
	"crypto/tls"
	stdx509 "crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/crypto/x509"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"dodeka/userland/internal/osstate"
)

// bench is a service with fakes around it.
type bench struct {
	*Service
	t       *testing.T
	config  *v1alpha1.EtcdConfig
	runtime *fakeRuntime
	server  *fakeEtcd
	log     *lines
	now     time.Time
}

// lines is a log that several write to.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) Close() error { return nil }

func newBench(t *testing.T) *bench {
	t.Helper()
	ca, err := x509.NewSelfSignedCertificateAuthority(x509.ECDSA(true), x509.Organization("etcd"))
	if err != nil {
		t.Fatal(err)
	}
	os, err := osstate.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{
		t: t, runtime: &fakeRuntime{}, server: &fakeEtcd{leader: 1}, log: &lines{}, now: time.Now(),
		config: &v1alpha1.EtcdConfig{ContainerImage: "etcd:1", RootCA: x509.NewCertificateAndKeyFromCertificateAuthority(ca)},
	}
	b.name(os.State)
	b.open(Options{
		State: os.State, Cluster: &v1alpha1.ClusterConfig{EtcdConfig: b.config}, Runtime: b.runtime, Address: listener.Addr().String(),
		Folder: t.TempDir(), Memory: t.TempDir(), Owner: ownerOfTests, Log: func() io.WriteCloser { return b.log }, Now: func() time.Time { return b.now },
	})
	b.runtime.serve = func() func() { return b.serve(listener) }
	t.Cleanup(func() { _ = listener.Close() })
	return b
}

var ownerOfTests = os.Getuid()

// open makes the service, as a boot does.
func (b *bench) open(o Options) {
	b.t.Helper()
	service, err := New(o)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Service = service
	b.t.Cleanup(func() { _ = service.Close() })
}

// name says who and where the machine is.
func (b *bench) name(resources state.State) {
	b.t.Helper()
	host := network.NewHostnameStatus(network.NamespaceName, network.HostnameID)
	host.TypedSpec().Hostname = "keeper"
	first := network.NewNodeAddress(network.NamespaceName, network.NodeAddressDefaultID)
	first.TypedSpec().Addresses = []netip.Prefix{netip.MustParsePrefix("192.0.2.7/24")}
	all := network.NewNodeAddress(network.NamespaceName, network.NodeAddressCurrentID)
	for _, one := range []string{"10.244.0.1/24", "192.0.2.7/24", "198.51.100.9/24", "2001:db8::7/64"} {
		all.TypedSpec().Addresses = append(all.TypedSpec().Addresses, netip.MustParsePrefix(one))
	}
	if err := errors.Join(resources.Create(b.t.Context(), host), resources.Create(b.t.Context(), first), resources.Create(b.t.Context(), all)); err != nil {
		b.t.Fatal(err)
	}
}

// serve is what etcd does with the certificates of the folder. It returns how to end it.
func (b *bench) serve(listener net.Listener) func() {
	pem := filepath.Join(b.certificates(), serverFile)
	roots := stdx509.NewCertPool()
	ca, err := os.ReadFile(filepath.Join(b.certificates(), authorityFile))
	if err != nil || !roots.AppendCertsFromPEM(ca) {
		b.t.Errorf("ca: %v", err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots, MinVersion: tls.VersionTLS13,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(pem, pem)
			return &pair, err
		},
	})))
	pb.RegisterMaintenanceServer(server, b.server)
	pb.RegisterClusterServer(server, fakeCluster{})
	go func() { _ = server.Serve(listener) }()
	return server.Stop
}

// put writes a file of the folder on the disk.
func (b *bench) put(name, content string) {
	b.t.Helper()
	path := filepath.Join(b.Folder, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
		b.t.Fatal(err)
	}
}

// files lists all that lies on the disk.
func (b *bench) files() (list []string) {
	b.t.Helper()
	err := filepath.WalkDir(b.Folder, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			list = append(list, path[len(b.Folder)+1:])
		}
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}
