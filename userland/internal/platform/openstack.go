// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/siderolabs/talos/pkg/machinery/resources/network"
)

// openstack reads the config drive, a medium with the label config-2, or else the metadata service.
// Spec: docs.openstack.org/nova, user/metadata. Left out: vendor data, network links of other types than below.
type openstack struct{ Options }

func (o openstack) Name() string { return "openstack" }

const openstackDir = "openstack/latest/"

var openstackFiles = [3]string{"meta_data.json", "user_data", "network_data.json"}

// Read takes user_data as the configuration.
func (o openstack) Read(ctx context.Context) (Metadata, error) {
	files, err := o.fromDrive(ctx)
	if errors.Is(err, ErrNone) {
		files, err = o.fromService(ctx)
	}
	if err != nil {
		return Metadata{}.finish(o.Name()), err
	}
	found, err := o.interpret(files)
	if err != nil {
		return Metadata{}.finish(o.Name()), err
	}
	return found.finish(o.Name()), nil
}

func (o openstack) fromDrive(ctx context.Context) (seed, error) {
	volume, err := o.OpenVolume(ctx, VolumeQuery{Labels: []string{"config-2"}})
	if errors.Is(err, fs.ErrNotExist) {
		return seed{}, ErrNone
	}
	if err != nil {
		return seed{}, err
	}
	defer volume.Close()
	return collect(openstackFiles, func(name string) ([]byte, error) { return readFile(volume, openstackDir+name) })
}

func (o openstack) fromService(ctx context.Context) (seed, error) {
	base := o.endpoint("http://169.254.169.254") + "/" + openstackDir
	return collect(openstackFiles, func(name string) ([]byte, error) { return o.Fetch.get(ctx, request{url: base + name}) })
}

func (o openstack) interpret(files seed) (Metadata, error) {
	var meta struct {
		UUID     string `json:"uuid"`
		Hostname string `json:"hostname"`
		Zone     string `json:"availability_zone"`
	}
	if len(files.meta) > 0 {
		if err := json.Unmarshal(files.meta, &meta); err != nil {
			return Metadata{}, fmt.Errorf("meta_data.json: %w", err)
		}
	}
	found := Metadata{Hostname: meta.Hostname, Config: machineConfig(files.user)}
	found.Facts.InstanceID, found.Facts.Zone = meta.UUID, meta.Zone
	if meta.UUID != "" {
		found.Facts.ProviderID = "openstack:///" + meta.UUID
	}
	if len(files.network) > 0 {
		n := &netspec{linkByMAC: o.LinkByMAC}
		if err := n.decodeOpenstack(files.network); err != nil {
			return Metadata{}, fmt.Errorf("network_data.json: %w", err)
		}
		found.Network = &n.PlatformConfigSpec
	}
	return found, nil
}

type openstackNetwork struct {
	Links []struct {
		ID, Type string
		MAC      string   `json:"ethernet_mac_address"`
		MTU      uint32   `json:"mtu"`
		Mode     string   `json:"bond_mode"`
		Members  []string `json:"bond_links"`
		Hash     string   `json:"bond_xmit_hash_policy"`
		VLAN     uint16   `json:"vlan_id"`
		Parent   string   `json:"vlan_link"`
	}
	Networks []openstackSubnet
	Services []struct{ Type, Address string }
}

type openstackSubnet struct {
	Link, Type, Netmask, Gateway string
	Address                      string `json:"ip_address"`
	Routes                       []subnetRoute
}

func (n *netspec) decodeOpenstack(data []byte) error {
	var whole openstackNetwork
	if err := json.Unmarshal(data, &whole); err != nil {
		return err
	}
	known, err := n.openstackLinks(whole)
	if err != nil {
		return err
	}
	for i, subnet := range whole.Networks {
		link, there := known[subnet.Link]
		if !there {
			return fmt.Errorf("networks[%d]: link %q is not there", i, subnet.Link)
		}
		switch subnet.Type {
		case "ipv4_dhcp":
			n.dhcp4(link)
			continue
		case "ipv6_dhcp", "ipv6_dhcpv6-stateful":
			n.dhcp6(link)
			continue
		case "ipv4", "ipv6":
		default: // ipv6_slaac and ipv6_dhcpv6-stateless: the kernel does it
			continue
		}
		if err := n.openstackSubnet(link, subnet); err != nil {
			return fmt.Errorf("networks[%d]: %w", i, err)
		}
	}
	for _, service := range whole.Services {
		if service.Type == "dns" {
			if err := n.resolvers([]string{service.Address}, nil); err != nil {
				return err
			}
		}
	}
	return n.check()
}

func (n *netspec) openstackSubnet(link string, subnet openstackSubnet) error {
	if err := n.address(link, subnet.Address, subnet.Netmask); err != nil {
		return err
	}
	return n.gateways(link, subnet.Gateway, subnet.Routes)
}

// openstackLinks maps ids of links to interfaces. Physical ones are known by their address; without one that the
// machine has, they are eth0, eth1, ... in order.
func (n *netspec) openstackLinks(whole openstackNetwork) (map[string]string, error) {
	known := map[string]string{}
	for i, link := range whole.Links {
		if link.Type != "bond" && link.Type != "vlan" {
			known[link.ID] = n.name(fmt.Sprintf("eth%d", i), link.MAC)
			n.link(network.LinkSpecSpec{Name: known[link.ID], MTU: link.MTU})
		}
	}
	for i, link := range whole.Links {
		if link.Type == "bond" {
			master, err := bondMaster(link.Mode, link.Hash, "", 0, 0, 0)
			if err != nil {
				return nil, fmt.Errorf("links[%d]: %w", i, err)
			}
			var members []string
			for _, member := range link.Members {
				members = append(members, cmp.Or(known[member], member))
			}
			known[link.ID] = cmp.Or(link.ID, fmt.Sprintf("bond%d", i))
			n.bond(known[link.ID], link.MTU, master, members)
		}
	}
	for i, link := range whole.Links {
		if link.Type == "vlan" {
			parent := known[link.Parent]
			known[link.ID] = fmt.Sprintf("%s.%d", parent, link.VLAN)
			if err := n.vlan(known[link.ID], parent, link.VLAN, link.MTU); err != nil {
				return nil, fmt.Errorf("links[%d]: %w", i, err)
			}
		}
	}
	return known, nil
}
