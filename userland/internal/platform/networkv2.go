// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	yaml "go.yaml.in/yaml/v4"
)

// linkV2 is what every kind of link has in version 2, which is netplan's format.
type linkV2 struct {
	Match struct {
		Name string `yaml:"name"`
		MAC  string `yaml:"macaddress"`
	} `yaml:"match"`
	SetName  string      `yaml:"set-name"`
	DHCP4    bool        `yaml:"dhcp4"`
	DHCP6    bool        `yaml:"dhcp6"`
	MTU      uint32      `yaml:"mtu"`
	Address  []addressV2 `yaml:"addresses"`
	Gateway4 string      `yaml:"gateway4"`
	Gateway6 string      `yaml:"gateway6"`
	Names    struct {
		Servers words `yaml:"addresses"`
		Search  words `yaml:"search"`
	} `yaml:"nameservers"`
	Routes []struct {
		To     string `yaml:"to"`
		Via    string `yaml:"via"`
		Metric uint32 `yaml:"metric"`
	} `yaml:"routes"`
}

type bondV2 struct {
	linkV2  `yaml:",inline"`
	Members []string `yaml:"interfaces"`
	Params  struct {
		Mode   string `yaml:"mode"`
		Hash   string `yaml:"transmit-hash-policy"`
		Rate   string `yaml:"lacp-rate"`
		MIIMon uint32 `yaml:"mii-monitor-interval"`
		Up     uint32 `yaml:"up-delay"`
		Down   uint32 `yaml:"down-delay"`
	} `yaml:"parameters"`
}

type vlanV2 struct {
	linkV2 `yaml:",inline"`
	ID     uint16 `yaml:"id"`
	Link   string `yaml:"link"`
}

// addressV2 is "10.0.0.2/24", or that as the only key of a mapping with options, which are left out.
type addressV2 string

func (a *addressV2) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.MappingNode && len(node.Content) == 2 {
		node = node.Content[0]
	}
	return node.Decode((*string)(a))
}

func (n *netspec) decodeV2(root *yaml.Node) error {
	var whole struct {
		Ethernets map[string]linkV2 `yaml:"ethernets"`
		Bonds     map[string]bondV2 `yaml:"bonds"`
		VLANs     map[string]vlanV2 `yaml:"vlans"`
	}
	if err := root.Decode(&whole); err != nil {
		return err
	}
	known := map[string]string{} // the id of a section to the name of the interface
	for _, id := range sorted(whole.Ethernets) {
		link := whole.Ethernets[id]
		known[id] = n.name(cmp.Or(link.SetName, link.Match.Name, id), link.Match.MAC)
		n.link(network.LinkSpecSpec{Name: known[id], MTU: link.MTU})
		if err := n.settings("ethernets."+id, known[id], link); err != nil {
			return err
		}
	}
	for _, id := range sorted(whole.Bonds) {
		bond := whole.Bonds[id]
		p := bond.Params
		master, err := bondMaster(p.Mode, p.Hash, p.Rate, p.MIIMon, p.Up, p.Down)
		if err != nil {
			return fmt.Errorf("bonds.%s: %w", id, err)
		}
		var members []string
		for _, member := range bond.Members {
			members = append(members, cmp.Or(known[member], member))
		}
		n.bond(id, bond.MTU, master, members)
		if err := n.settings("bonds."+id, id, bond.linkV2); err != nil {
			return err
		}
	}
	for _, id := range sorted(whole.VLANs) {
		vlan := whole.VLANs[id]
		if err := n.vlan(id, cmp.Or(known[vlan.Link], vlan.Link), vlan.ID, vlan.MTU); err != nil {
			return err
		}
		if err := n.settings("vlans."+id, id, vlan.linkV2); err != nil {
			return err
		}
	}
	return nil
}

func (n *netspec) settings(path, name string, link linkV2) error {
	if link.DHCP4 {
		n.dhcp4(name)
	}
	if link.DHCP6 {
		n.dhcp6(name)
	}
	for _, address := range link.Address {
		if err := n.address(name, string(address), ""); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	for _, gateway := range []string{link.Gateway4, link.Gateway6} {
		if gateway == "" {
			continue
		}
		if err := n.route(name, "", "", gateway, 0); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	for _, route := range link.Routes {
		if err := n.route(name, route.To, "", route.Via, route.Metric); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	if err := n.resolvers(link.Names.Servers, link.Names.Search); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
