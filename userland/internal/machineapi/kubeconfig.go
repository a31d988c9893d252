// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	stdx509 "crypto/x509"
	"encoding/base64"
	"slices"
	"time"

	"github.com/siderolabs/crypto/x509"
	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"go.yaml.in/yaml/v4"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// clockSkew is by how much the clocks of those who check a new certificate may be behind.
const clockSkew = time.Minute

// Kubeconfig implements machine.MachineServiceServer. It makes a client certificate of the cluster's administrator, for
// which it needs the key of the cluster's CA and no cluster that runs. The answer is a compressed tar of one file, as
// clients expect it.
func (a *api) Kubeconfig(_ *emptypb.Empty, stream grpc.ServerStreamingServer[common.Data]) error {
	cfg, err := a.configuration(stream.Context())
	if err != nil {
		return err
	}
	text, err := kubeconfig(cfg.Cluster(), time.Now())
	if err != nil {
		return err
	}
	archive, err := archiveOf("kubeconfig", text)
	if err != nil {
		return err
	}
	return stream.Send(&common.Data{Bytes: archive})
}

// Source: Kubernetes, client-go, k8s.io/client-go/tools/clientcmd/api/v1: Config.
type (
	kubeFile struct {
		APIVersion     string        `yaml:"apiVersion"`
		Kind           string        `yaml:"kind"`
		Clusters       []kubeCluster `yaml:"clusters"`
		Users          []kubeUser    `yaml:"users"`
		Contexts       []kubeContext `yaml:"contexts"`
		CurrentContext string        `yaml:"current-context"`
	}
	kubeCluster struct {
		Name    string `yaml:"name"`
		Cluster struct {
			Server string `yaml:"server"`
			CA     string `yaml:"certificate-authority-data"`
		} `yaml:"cluster"`
	}
	kubeUser struct {
		Name string `yaml:"name"`
		User struct {
			Certificate string `yaml:"client-certificate-data"`
			Key         string `yaml:"client-key-data"`
		} `yaml:"user"`
	}
	kubeContext struct {
		Name    string `yaml:"name"`
		Context struct {
			Cluster   string `yaml:"cluster"`
			User      string `yaml:"user"`
			Namespace string `yaml:"namespace"`
		} `yaml:"context"`
	}
)

func kubeconfig(cluster config.ClusterConfig, now time.Time) ([]byte, error) {
	ca := cluster.IssuingCA()
	if ca == nil || len(ca.Key) == 0 {
		return nil, status.Error(codes.FailedPrecondition, "this machine does not have the key of cluster.ca: ask a machine of the control plane")
	}
	who := cluster.AdminKubeconfig()
	life := who.CertLifetime()
	if life <= 0 || life > longestClient {
		return nil, status.Errorf(codes.FailedPrecondition,
			"cluster.adminKubeconfig.certLifetime: found %s, expected more than 0 and at most %s", life, longestClient)
	}
	authority, err := x509.NewCertificateAuthorityFromCertificateAndKey(ca)
	if err != nil {
		return nil, err
	}
	pair, err := x509.NewKeyPair(authority,
		x509.CommonName(who.CommonName()), x509.Organization(who.CertOrganization()),
		x509.NotBefore(now.Add(-clockSkew)), x509.NotAfter(now.Add(life)),
		x509.KeyUsage(stdx509.KeyUsageDigitalSignature), x509.ExtKeyUsage([]stdx509.ExtKeyUsage{stdx509.ExtKeyUsageClientAuth}),
	)
	if err != nil {
		return nil, err
	}
	trusted := slices.Clone(ca.Crt)
	for _, other := range cluster.AcceptedCAs() {
		if !bytes.HasSuffix(trusted, []byte("\n")) { // PEM begins a line
			trusted = append(trusted, '\n')
		}
		trusted = append(trusted, other.Crt...)
	}
	inCluster := kubeCluster{Name: cluster.Name()}
	inCluster.Cluster.Server = cluster.Endpoint().String()
	inCluster.Cluster.CA = base64.StdEncoding.EncodeToString(trusted)
	user := kubeUser{Name: who.CommonName() + "@" + cluster.Name()}
	user.User.Certificate = base64.StdEncoding.EncodeToString(pair.CrtPEM)
	user.User.Key = base64.StdEncoding.EncodeToString(pair.KeyPEM)
	both := kubeContext{Name: user.Name}
	both.Context.Cluster, both.Context.User, both.Context.Namespace = inCluster.Name, user.Name, "default"
	return yaml.Marshal(kubeFile{
		APIVersion: "v1", Kind: "Config", CurrentContext: both.Name,
		Clusters: []kubeCluster{inCluster}, Users: []kubeUser{user}, Contexts: []kubeContext{both},
	})
}

// archiveOf packs a file that only its owner may read.
func archiveOf(name string, content []byte) ([]byte, error) {
	var packed bytes.Buffer
	compressed := gzip.NewWriter(&packed)
	archive := tar.NewWriter(compressed)
	if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(content))}); err != nil {
		return nil, err
	}
	if _, err := archive.Write(content); err != nil {
		return nil, err
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	if err := compressed.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
