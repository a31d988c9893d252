// SPDX-License-Identifier: Apache-2.0

// Package podnetwork gives the pods of a machine a network of its own: a bridge with addresses of the configuration's pod
// subnets, a way out through the machine's address, and ports of the machine that lead to pods. The plugins of the image
// make it when a pod starts; this package tells containerd which of them, and how.
// Source: CNI specification 1.0, "Network configuration format"; the plugins' documentation (bridge, host-local, portmap).
package podnetwork

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/constants"

	"dodeka/userland/internal/badfield"
	"dodeka/userland/internal/hostfiles"
)

// Folder is where containerd looks for networks. It takes the first by name.
const Folder = "/etc/cni/net.d"

const (
	file     = "99-dodeka.conflist" // behind what network add-ons put there
	bridge   = "cni0"
	leases   = "/run/cni/networks" // which pod has which address: none outlives a boot
	leastFor = 2                   // bits of a subnet for pods: its own address, the bridge, one pod, and IPv4's broadcast
)

// Check refuses subnets of which no pod could have an address. Errors are *badfield.Error.
func Check(network config.ClusterNetwork) error {
	_, err := subnets(network)
	return err
}

// subnets are those of the configuration, one for each version of IP.
func subnets(network config.ClusterNetwork) (found []netip.Prefix, err error) {
	for i, text := range network.PodCIDRs() {
		path := fmt.Sprintf("cluster.network.podSubnets[%d]", i)
		subnet, err := netip.ParsePrefix(text)
		if err != nil || subnet != subnet.Masked() || subnet.Addr().Is4In6() {
			return nil, badfield.At(path, "expected the address of a network and its length, such as 10.244.0.0/16 or fd00:244::/64")
		}
		if a := subnet.Addr(); subnet.Bits() == 0 || a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a.IsLinkLocalUnicast() {
			return nil, badfield.At(path, "no pod can have such an address: expected a network such as 10.244.0.0/16")
		}
		if subnet.Addr().BitLen()-subnet.Bits() < leastFor {
			return nil, badfield.At(path, "has no address for a pod")
		}
		for _, other := range found {
			if other.Addr().Is4() == subnet.Addr().Is4() {
				return nil, badfield.At(path, "pods have one address of IPv4 and one of IPv6 at most")
			}
		}
		found = append(found, subnet)
	}
	return found, nil
}

// Write makes the folder say what the configuration wants: this network, or none where the pods' network is none of the
// machine's business. What others have put there stays.
func Write(folder string, network config.ClusterNetwork) error {
	path := filepath.Join(folder, file)
	if network.CNI().Name() != constants.FlannelCNI { // the default's name: flannel itself needs a cluster
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	ranges, err := subnets(network)
	if err != nil {
		return err
	}
	text, err := json.Marshal(list(ranges))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	return hostfiles.Replace(path, string(text))
}

type object = map[string]any

func list(subnets []netip.Prefix) object {
	ranges, routes := [][]object{}, []object{}
	for _, subnet := range subnets {
		all := netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		if subnet.Addr().Is4() {
			all = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		}
		ranges = append(ranges, []object{{"subnet": subnet.String()}})
		routes = append(routes, object{"dst": all.String()})
	}
	return object{
		"cniVersion": "1.0.0", "name": "pods",
		"plugins": []object{
			{
				"type": "bridge", "bridge": bridge, "isGateway": true, "hairpinMode": true,
				"ipMasq": true, "ipMasqBackend": "nftables", // there is no iptables
				"ipam": object{"type": "host-local", "dataDir": leases, "ranges": ranges, "routes": routes},
			},
			{"type": "portmap", "backend": "nftables", "snat": true, "capabilities": object{"portMappings": true}},
		},
	}
}
