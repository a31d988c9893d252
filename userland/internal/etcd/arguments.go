// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config/config"

	"dodeka/userland/internal/badfield"
)

// fixed are arguments that the machine decides, or that would open a way past certificates or the data folder.
// Source: etcd 3.7, "Configuration options".
var fixed = strings.Fields(`name data-dir wal-dir config-file
	listen-client-urls listen-peer-urls listen-client-http-urls advertise-client-urls
	initial-cluster initial-cluster-state initial-advertise-peer-urls initial-cluster-token force-new-cluster
	discovery discovery-srv discovery-srv-name
	cert-file key-file client-cert-file client-key-file trusted-ca-file client-cert-auth auto-tls client-crl-file
	peer-cert-file peer-key-file peer-client-cert-file peer-client-key-file peer-trusted-ca-file peer-client-cert-auth peer-auto-tls
	peer-crl-file peer-skip-client-san-verification`)

// minimumTLS can be lowered to 1.2 by the configuration; etcd takes nothing below that.
const minimumTLS = "tls-min-version"

// Check refuses extra arguments that could not be honoured. Errors are *badfield.Error.
func Check(cluster config.ClusterConfig) error {
	extra := cluster.Etcd().ExtraArgs()
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		path := "cluster.etcd.extraArgs." + name
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || name[0] == '-' {
			return badfield.At(path, "expected the name of an argument without hyphens before it, such as quota-backend-bytes")
		}
		if slices.Contains(fixed, name) {
			return badfield.At(path, "cannot be set: the machine decides it")
		}
	}
	return nil
}

// arguments are in order, so that the same configuration starts the same process.
func (s *Service) arguments(at place) []string {
	pki := s.certificates()
	own := [][2]string{
		{"name", at.name},
		{"data-dir", s.data()},
		{"listen-client-urls", urls(at.listenClients, clientPort)},
		{"listen-peer-urls", urls(at.listenPeers, peerPort)},
		{"advertise-client-urls", urls(at.advertised, clientPort)},
		{"client-cert-auth", "true"},
		{"cert-file", filepath.Join(pki, serverFile)},
		{"key-file", filepath.Join(pki, serverFile)},
		{"trusted-ca-file", filepath.Join(pki, authorityFile)},
		{"peer-client-cert-auth", "true"},
		{"peer-cert-file", filepath.Join(pki, peerFile)},
		{"peer-key-file", filepath.Join(pki, peerFile)},
		{"peer-trusted-ca-file", filepath.Join(pki, authorityFile)},
	}
	extra := s.Cluster.Etcd().ExtraArgs()
	if len(extra[minimumTLS]) == 0 {
		own = append(own, [2]string{minimumTLS, "TLS1.3"})
	}
	var args []string
	for _, one := range append(own, s.membership(at)...) {
		args = append(args, "--"+one[0]+"="+one[1])
	}
	for _, name := range slices.Sorted(maps.Keys(extra)) {
		for _, value := range extra[name] {
			args = append(args, "--"+name+"="+value)
		}
	}
	return args
}

// membership is a cluster of this machine alone. What etcd has in its data folder already takes precedence.
func (s *Service) membership(at place) [][2]string {
	peers := urls(at.advertised, peerPort)
	var members []string
	for _, url := range strings.Split(peers, ",") {
		members = append(members, at.name+"="+url)
	}
	return [][2]string{{"initial-advertise-peer-urls", peers}, {"initial-cluster", strings.Join(members, ",")}}
}

func urls(addresses []netip.Addr, port int) string {
	var list []string
	for _, address := range addresses {
		list = append(list, fmt.Sprintf("https://%s", net.JoinHostPort(address.String(), strconv.Itoa(port))))
	}
	return strings.Join(list, ",")
}
