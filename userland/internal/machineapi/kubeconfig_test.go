// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/siderolabs/crypto/x509"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"
	"go.yaml.in/yaml/v4"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func clusterWith(t *testing.T) *v1alpha1.ClusterConfig {
	t.Helper()
	ca, err := x509.NewSelfSignedCertificateAuthority()
	if err != nil {
		t.Fatal(err)
	}
	return &v1alpha1.ClusterConfig{
		ClusterName:  "c",
		ClusterCA:    x509.NewCertificateAndKeyFromCertificateAuthority(ca),
		ControlPlane: &v1alpha1.ControlPlaneConfig{Endpoint: &v1alpha1.Endpoint{URL: &url.URL{Scheme: "https", Host: "[fd00::1]:6443"}}},
	}
}

func TestKubeconfigTrustsEveryAuthorityOfTheCluster(t *testing.T) {
	cluster := clusterWith(t)
	cluster.ClusterAcceptedCAs = []*x509.PEMEncodedCertificate{{Crt: []byte("former")}, {Crt: []byte("next\n")}}
	text, err := kubeconfig(cluster, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var got kubeFile
	if err := yaml.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	trusted, err := base64.StdEncoding.DecodeString(got.Clusters[0].Cluster.CA)
	if want := string(cluster.ClusterCA.Crt) + "former\nnext\n"; err != nil || string(trusted) != want {
		t.Errorf("trusts %s (%v), want %s", trusted, err, want)
	}
	if server := got.Clusters[0].Cluster.Server; server != "https://[fd00::1]:6443" {
		t.Error(server)
	}
	if strings.Contains(string(cluster.ClusterCA.Crt), "former") {
		t.Error("the configuration was changed")
	}
}

func TestKubeconfigIsRefused(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.ClusterConfig){
		"does not have the key of cluster.ca": func(c *v1alpha1.ClusterConfig) { c.ClusterCA.Key = nil }, // a worker
		"certLifetime: found -1h0m0s": func(c *v1alpha1.ClusterConfig) {
			c.AdminKubeconfigConfig = &v1alpha1.AdminKubeconfigConfig{AdminKubeconfigCertLifetime: -time.Hour}
		},
		"certLifetime: found 96360h0m0s": func(c *v1alpha1.ClusterConfig) {
			c.AdminKubeconfigConfig = &v1alpha1.AdminKubeconfigConfig{AdminKubeconfigCertLifetime: 11 * 365 * 24 * time.Hour}
		},
	} {
		cluster := clusterWith(t)
		change(cluster)
		if _, err := kubeconfig(cluster, time.Now()); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
