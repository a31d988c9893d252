// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"errors"
	"fmt"

	"github.com/siderolabs/talos/pkg/machinery/nethelpers"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	yaml "go.yaml.in/yaml/v4"

	"dodeka/userland/internal/yamltree"
)

// Bounds on what a network configuration can make the network manager do.
const (
	maxLinks = 256
	maxEach  = 1024 // addresses, routes and so on
)

// parseNetworkConfig reads cloud-init's network configuration, version 1 or 2, with or without "network:" around it.
// Spec: cloudinit.readthedocs.io, network-config-format-v1 and -v2. Left out: bridges, tunnels, policy routing.
func parseNetworkConfig(data []byte, linkByMAC func(string) (string, bool)) (spec *network.PlatformConfigSpec, err error) {
	defer func() {
		if p := recover(); p != nil { // the decoder reports some input so
			spec, err = nil, fmt.Errorf("yaml: %v", p)
		}
	}()
	roots, err := yamltree.Parse(data)
	if err != nil {
		return nil, err
	}
	if len(roots) == 0 {
		return nil, errors.New("it is empty")
	}
	inner := roots[0]
	if inner.Kind != yaml.MappingNode {
		return nil, errNoMapping
	}
	if wrapped := yamltree.Value(inner, "network"); wrapped != nil {
		inner = wrapped
	}
	n := &netspec{linkByMAC: linkByMAC}
	version := yamltree.Value(inner, "version")
	switch {
	case version != nil && version.Value == "1":
		err = n.decodeV1(inner)
	case version != nil && version.Value == "2":
		err = n.decodeV2(inner)
	default:
		err = errors.New("version is not 1 or 2")
	}
	if err == nil {
		err = n.check()
	}
	if err != nil {
		return nil, err
	}
	return &n.PlatformConfigSpec, nil
}

// check refuses what would keep the network manager busy for long.
func (n *netspec) check() error {
	resolvers := 0
	for _, r := range n.Resolvers {
		resolvers += len(r.DNSServers) + len(r.SearchDomains)
	}
	for _, kind := range []struct {
		name        string
		count, most int
	}{
		{"links", len(n.Links), maxLinks}, {"addresses", len(n.Addresses), maxEach}, {"routes", len(n.Routes), maxEach},
		{"DHCP clients", len(n.Operators), maxEach}, {"resolvers and search domains", resolvers, maxEach},
	} {
		if kind.count > kind.most {
			return fmt.Errorf("it has over %d %s", kind.most, kind.name)
		}
	}
	return nil
}

// bondMaster reads the words of the kernel's bonding options; an unknown word is refused.
func bondMaster(mode, hash, rate string, miimon, up, down uint32) (spec network.BondMasterSpec, err error) {
	spec.MIIMon, spec.UpDelay, spec.DownDelay = miimon, up, down
	if mode != "" {
		if spec.Mode, err = nethelpers.BondModeByName(mode); err != nil {
			return spec, err
		}
	}
	if hash != "" {
		if spec.HashPolicy, err = nethelpers.BondXmitHashPolicyByName(hash); err != nil {
			return spec, err
		}
	}
	if rate != "" {
		spec.LACPRate, err = nethelpers.LACPRateByName(rate)
	}
	return spec, err
}

func (n *netspec) bond(name string, mtu uint32, master network.BondMasterSpec, members []string) {
	n.link(network.LinkSpecSpec{Name: name, Logical: true, Kind: network.LinkKindBond, Type: nethelpers.LinkEther, MTU: mtu, BondMaster: master})
	n.enslave(name, members)
}

func (n *netspec) vlan(name, parent string, id uint16, mtu uint32) error {
	if id == 0 || id > 4094 || parent == "" {
		return fmt.Errorf("VLAN %q has the id %d on link %q", name, id, parent)
	}
	if name == "" {
		name = fmt.Sprintf("%s.%d", parent, id)
	}
	n.link(network.LinkSpecSpec{Name: name, Logical: true, Kind: network.LinkKindVLAN, Type: nethelpers.LinkEther, MTU: mtu, ParentName: parent,
		VLAN: network.VLANSpec{VID: id, Protocol: nethelpers.VLANProtocol8021Q}})
	return nil
}
