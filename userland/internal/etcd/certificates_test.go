// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"bytes"
	"crypto/tls"
	stdx509 "crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
)

func (b *bench) pair(name string) *stdx509.Certificate {
	b.t.Helper()
	path := filepath.Join(b.certificates(), name)
	pair, err := tls.LoadX509KeyPair(path, path)
	if err != nil {
		b.t.Fatal(err)
	}
	return pair.Leaf
}

func TestCertificatesAreForWhoAsksAndWhoAnswers(t *testing.T) {
	b := newBench(t)
	if err := b.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(b.certificates(), authorityFile))
	if err != nil || !bytes.Equal(ca, b.config.RootCA.Crt) {
		t.Errorf("ca: %v", err)
	}
	roots := stdx509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	for _, name := range []string{serverFile, peerFile} {
		leaf := b.pair(name)
		for _, use := range bothUses {
			options := stdx509.VerifyOptions{Roots: roots, KeyUsages: []stdx509.ExtKeyUsage{use}, DNSName: "localhost"}
			if _, err := leaf.Verify(options); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, host := range []string{"127.0.0.1", "192.0.2.7", "keeper"} {
			if err := leaf.VerifyHostname(host); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		about, err := os.Stat(filepath.Join(b.certificates(), name))
		if err != nil || about.Mode().Perm() != 0o400 {
			t.Errorf("%s: %v %v", name, about, err)
		}
	}
	if about, err := os.Stat(b.certificates()); err != nil || about.Mode().Perm() != 0o700 {
		t.Errorf("folder: %v %v", about, err)
	}
}

func TestCertificatesAreRenewed(t *testing.T) {
	tests := []struct {
		name   string
		change func(*bench)
		want   bool
	}{
		{"not before half of their life", func(b *bench) { b.now = b.now.Add(11 * time.Hour) }, false},
		{"at half of their life", func(b *bench) { b.now = b.now.Add(13 * time.Hour) }, true},
		{"when the clock went back", func(b *bench) { b.now = b.now.Add(-48 * time.Hour) }, true},
		{"with another name", func(b *bench) { b.rename("other") }, true},
	}
	for _, tc := range tests {
		b := newBench(t)
		if err := b.renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		before := b.pair(serverFile)
		tc.change(b)
		if err := b.renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		after := b.pair(serverFile)
		if renewed := !before.Equal(after); renewed != tc.want {
			t.Errorf("%s: renewed %v", tc.name, renewed)
		}
		if tc.name == "with another name" && !slices.Contains(after.DNSNames, "other") {
			t.Errorf("names %v", after.DNSNames)
		}
	}
}

func (b *bench) rename(name string) {
	b.t.Helper()
	host := network.NewHostnameStatus(network.NamespaceName, network.HostnameID)
	err := safe.StateModify(b.t.Context(), b.State, host, func(h *network.HostnameStatus) error {
		h.TypedSpec().Hostname = name
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
}
