// SPDX-License-Identifier: Apache-2.0

package dhcp6

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"
)

// message builds what all messages of the client have in common. answer is what the server said before: its addresses
// are asked for again, and all but a SOLICIT and a REBIND name that server.
func (c *Client) message(kind dhcpv6.MessageType, answer *dhcpv6.Message) (*dhcpv6.Message, error) {
	m, err := dhcpv6.NewMessage()
	if err != nil {
		return nil, err
	}
	m.MessageType = kind
	m.AddOption(dhcpv6.OptClientID(c.DUID))
	m.AddOption(dhcpv6.OptElapsedTime(0))
	m.AddOption(dhcpv6.OptRequestedOption(
		dhcpv6.OptionDNSRecursiveNameServer, dhcpv6.OptionDomainSearchList, dhcpv6.OptionNTPServer, dhcpv6.OptionSNTPServerList))
	association := &dhcpv6.OptIANA{IaId: iaid(c.MAC)}
	if answer != nil {
		if kind != dhcpv6.MessageTypeRebind {
			m.AddOption(dhcpv6.OptServerID(answer.Options.ServerID()))
		}
		association = again(answer.Options.OneIANA(), association.IaId)
	}
	m.AddOption(association)
	return m, nil
}

// again asks for the addresses of an answer, and for no more of them than we would take.
func again(given *dhcpv6.OptIANA, id [4]byte) *dhcpv6.OptIANA {
	wanted := &dhcpv6.OptIANA{IaId: id}
	if given == nil {
		return wanted
	}
	for i, a := range given.Options.Addresses() {
		if i == maxAddresses {
			break
		}
		wanted.Options.Add(&dhcpv6.OptIAAddress{IPv6Addr: a.IPv6Addr})
	}
	return wanted
}

// iaid tells the links of a machine apart, by the end of their hardware address.
func iaid(mac net.HardwareAddr) (id [4]byte) {
	copy(id[:], mac[max(0, len(mac)-4):])
	return id
}

// MachineDUID identifies the machine: by the firmware's UUID (RFC 6355), or, without one, by a hardware address (RFC 8415
// section 11.4). Either stays the same when the system is installed anew.
func MachineDUID(uuid string, mac net.HardwareAddr) dhcpv6.DUID {
	raw, err := hex.DecodeString(strings.ReplaceAll(uuid, "-", ""))
	if err != nil || len(raw) != 16 {
		return &dhcpv6.DUIDLL{HWType: iana.HWTypeEthernet, LinkLayerAddr: mac}
	}
	return &dhcpv6.DUIDUUID{UUID: [16]byte(raw)}
}

// ParseDUID reads the DUID that a configuration gives, in hexadecimal digits.
func ParseDUID(text string) (dhcpv6.DUID, error) {
	const longest = 130 // RFC 8415 section 11.1: 128 and the type
	raw, err := hex.DecodeString(strings.NewReplacer(":", "", "-", "").Replace(text))
	if err != nil {
		return nil, fmt.Errorf("DUID %q: %w", text, err)
	}
	if len(raw) < 3 || len(raw) > longest {
		return nil, errors.New("DUID: expected 3 to 130 bytes")
	}
	return dhcpv6.DUIDFromBytes(raw)
}
