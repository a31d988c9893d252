// SPDX-License-Identifier: Apache-2.0

package dhcp4

import (
	"net"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/insomniacslk/dhcp/iana"
)

// asked is option 55, what the machine wants to know, in the order of RFC 2132.
var asked = []dhcpv4.OptionCode{
	dhcpv4.OptionSubnetMask, dhcpv4.OptionClasslessStaticRoute, // RFC 3442: before the router
	dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer, dhcpv4.OptionDomainName, dhcpv4.OptionInterfaceMTU,
	dhcpv4.OptionNTPServers, dhcpv4.OptionRenewTimeValue, dhcpv4.OptionRebindingTimeValue,
}

// message builds what all messages of the client have in common.
func (c *Client) message(kind dhcpv4.MessageType, more ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	codes := asked
	if !c.SkipHostname {
		codes = append(codes[:len(codes):len(codes)], dhcpv4.OptionHostName)
	}
	base := []dhcpv4.Modifier{
		dhcpv4.WithHwAddr(c.MAC), dhcpv4.WithHWType(iana.HWTypeEthernet), dhcpv4.WithMessageType(kind),
		dhcpv4.WithRequestedOptions(codes...), dhcpv4.WithOption(dhcpv4.OptMaxMessageSize(nclient4.MaxMessageSize)),
	}
	if c.ID != nil {
		base = append(base, dhcpv4.WithOption(dhcpv4.OptClientIdentifier(c.ID)))
	}
	if name := c.ownName(); name != "" {
		base = append(base, dhcpv4.WithOption(dhcpv4.OptHostName(name)))
	}
	m, err := dhcpv4.New(append(base, more...)...)
	if err != nil {
		panic("BUG: a DHCP message of our own: " + err.Error()) // only a failing source of random numbers
	}
	return m
}

func (c *Client) ownName() string {
	if c.SkipHostname || c.Hostname == nil {
		return ""
	}
	return c.Hostname()
}

// HardwareID is option 61 made of the hardware address (RFC 2132 section 9.14, type 1).
func HardwareID(mac net.HardwareAddr) []byte { return append([]byte{1}, mac...) }

// NodeID is option 61 made of a DUID (RFC 4361 section 6.1); the IAID is the end of the hardware address.
func NodeID(mac net.HardwareAddr, duid []byte) []byte {
	const nodeSpecific = 255
	id := append([]byte{nodeSpecific}, make([]byte, 4)...)
	copy(id[1:], mac[max(0, len(mac)-4):])
	return append(id, duid...)
}
