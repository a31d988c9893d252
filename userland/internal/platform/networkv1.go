// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	yaml "go.yaml.in/yaml/v4"
)

// itemV1 is one entry of the list "config" of version 1.
type itemV1 struct {
	Type    string     `yaml:"type"`
	Name    string     `yaml:"name"`
	MAC     string     `yaml:"mac_address"`
	MTU     uint32     `yaml:"mtu"`
	Subnets []subnetV1 `yaml:"subnets"`

	BondMembers []string `yaml:"bond_interfaces"`
	Params      struct {
		Mode    string `yaml:"bond-mode"`
		Hash    string `yaml:"bond-xmit-hash-policy"`
		Rate    string `yaml:"bond-lacp-rate"`
		MIIMon  uint32 `yaml:"bond-miimon"`
		UpDelay uint32 `yaml:"bond-updelay"`
		Down    uint32 `yaml:"bond-downdelay"`
	} `yaml:"params"`
	VLANLink string `yaml:"vlan_link"`
	VLANID   uint16 `yaml:"vlan_id"`

	Address words  `yaml:"address"` // of a nameserver
	Search  words  `yaml:"search"`
	To      string `yaml:"destination"` // of a route
	Gateway string `yaml:"gateway"`
	Netmask string `yaml:"netmask"`
	Metric  uint32 `yaml:"metric"`
}

type subnetV1 struct {
	Type    string        `yaml:"type"`
	Address string        `yaml:"address"`
	Netmask string        `yaml:"netmask"`
	Gateway string        `yaml:"gateway"`
	DNS     words         `yaml:"dns_nameservers"`
	Search  words         `yaml:"dns_search"`
	IPv4    *bool         `yaml:"ipv4"` // Hetzner: dhcp of this family only
	IPv6    *bool         `yaml:"ipv6"`
	Routes  []subnetRoute `yaml:"routes"`
}

// words is a list of strings, or one.
type words []string

func (w *words) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*w = strings.Fields(node.Value)
		return nil
	}
	return node.Decode((*[]string)(w))
}

func (n *netspec) decodeV1(root *yaml.Node) error {
	var whole struct {
		Config []itemV1 `yaml:"config"`
	}
	if err := root.Decode(&whole); err != nil {
		return err
	}
	for i, item := range whole.Config {
		if err := n.itemV1(item); err != nil {
			return fmt.Errorf("config[%d]: %w", i, err)
		}
	}
	return nil
}

func (n *netspec) itemV1(item itemV1) error {
	name := n.name(item.Name, item.MAC)
	switch item.Type {
	case "physical":
		n.link(network.LinkSpecSpec{Name: name, MTU: item.MTU})
	case "bond":
		p := item.Params
		master, err := bondMaster(p.Mode, p.Hash, p.Rate, p.MIIMon, p.UpDelay, p.Down)
		if err != nil {
			return err
		}
		name = item.Name
		n.bond(name, item.MTU, master, item.BondMembers)
	case "vlan":
		name = item.Name
		if name == "" {
			name = fmt.Sprintf("%s.%d", item.VLANLink, item.VLANID)
		}
		if err := n.vlan(name, item.VLANLink, item.VLANID, item.MTU); err != nil {
			return err
		}
	case "nameserver":
		return n.resolvers(item.Address, item.Search)
	case "route":
		return n.route("", item.To, item.Netmask, item.Gateway, item.Metric)
	case "loopback":
		return nil
	default:
		return fmt.Errorf("type %q is not supported", item.Type)
	}
	for i, subnet := range item.Subnets {
		if err := n.subnetV1(name, subnet); err != nil {
			return fmt.Errorf("subnets[%d]: %w", i, err)
		}
	}
	return nil
}

func (n *netspec) subnetV1(link string, subnet subnetV1) error {
	switch subnet.Type {
	case "dhcp", "dhcp4":
		if subnet.IPv4 == nil || *subnet.IPv4 {
			n.dhcp4(link)
		}
	case "dhcp6", "ipv6_dhcpv6-stateful":
		n.dhcp6(link)
	case "static", "static4", "static6":
		if err := n.address(link, subnet.Address, subnet.Netmask); err != nil {
			return err
		}
	case "manual", "ipv6_slaac", "ipv6_dhcpv6-stateless":
	default:
		return fmt.Errorf("type %q is not supported", subnet.Type)
	}
	if err := n.gateways(link, subnet.Gateway, subnet.Routes); err != nil {
		return err
	}
	return n.resolvers(subnet.DNS, subnet.Search)
}
