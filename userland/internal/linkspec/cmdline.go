// SPDX-License-Identifier: Apache-2.0

package linkspec

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/nethelpers"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
)

// cmdline follows ip= of the kernel command line, as often as it is given:
// ip=<address>:<server>:<gateway>:<netmask>:<host>:<link>:<dhcp>:<dns>:<dns>:<ntp> or ip=<link>:dhcp.
// Spec: Linux Documentation/admin-guide/nfs/nfsroot.rst. Colons of an IPv6 address stand in brackets.
func (b *builder) cmdline() {
	for word := range strings.FieldsSeq(b.input.Cmdline) {
		value, found := strings.CutPrefix(word, "ip=")
		if !found || value == "" || value == "dhcp" || value == "on" || value == "any" {
			continue // the defaults do that
		}
		if err := b.argument(splitArgument(value)); err != nil {
			b.problem("kernel argument %s: %v", word, err)
		}
	}
}

// splitArgument cuts at colons outside of brackets, and takes the brackets off.
func splitArgument(value string) []string {
	var fields []string
	var field strings.Builder
	depth := 0
	for _, c := range value {
		switch {
		case c == '[':
			depth++
		case c == ']':
			depth--
		case c == ':' && depth == 0:
			fields = append(fields, field.String())
			field.Reset()
		default:
			field.WriteRune(c)
		}
	}
	return append(fields, field.String())
}

func (b *builder) argument(fields []string) error {
	const from = network.ConfigCmdline
	if len(fields) == 2 && fields[1] == "dhcp" {
		name := b.resolve(fields[0])
		b.wantUp(name, from)
		b.dhcp4(name, network.DHCP4OperatorSpec{RouteMetric: network.DefaultRouteMetric}, from)
		return nil
	}
	fields = append(fields, make([]string, max(0, 10-len(fields)))...)
	name := b.resolve(fields[5])
	if name == "" {
		physical := b.physical()
		if len(physical) == 0 {
			return errors.New("there is no link")
		}
		name = physical[0]
	}
	b.wantUp(name, from)
	if fields[0] != "" {
		if err := b.argumentAddress(name, fields); err != nil {
			return err
		}
	}
	if fields[6] == "dhcp" {
		b.dhcp4(name, network.DHCP4OperatorSpec{RouteMetric: network.DefaultRouteMetric}, from)
	}
	return b.argumentNames(fields)
}

func (b *builder) argumentAddress(name string, fields []string) error {
	addr, err := netip.ParseAddr(fields[0])
	if err != nil {
		return err
	}
	bits, err := maskBits(addr, fields[3])
	if err != nil {
		return err
	}
	b.address(network.AddressSpecSpec{Address: netip.PrefixFrom(addr, bits), LinkName: name, ConfigLayer: network.ConfigCmdline})
	if fields[2] == "" {
		return nil
	}
	gateway, err := netip.ParseAddr(fields[2])
	if err != nil {
		return err
	}
	b.route(normalRoute(network.RouteSpecSpec{
		Gateway: gateway, OutLinkName: name, Protocol: nethelpers.ProtocolBoot, ConfigLayer: network.ConfigCmdline,
	}))
	return nil
}

// maskBits reads 255.255.255.0 or 24; nothing means that the address is alone.
func maskBits(addr netip.Addr, text string) (int, error) {
	if text == "" {
		return addr.BitLen(), nil
	}
	if n, err := strconv.Atoi(text); err == nil && n > 0 && n <= addr.BitLen() {
		return n, nil
	}
	if mask, err := netip.ParseAddr(text); err == nil && mask.Is4() {
		if ones, bits := net.IPMask(mask.AsSlice()).Size(); bits == 32 && ones > 0 {
			return ones, nil
		}
	}
	return 0, fmt.Errorf("%q is not a netmask", text)
}

func (b *builder) argumentNames(fields []string) error {
	if fields[4] != "" {
		b.hostname(fields[4], network.ConfigCmdline)
	}
	for _, text := range fields[7:9] {
		if text == "" {
			continue
		}
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return err
		}
		b.plan.Names.Resolvers, b.plan.Names.ResolverLayer = append(b.plan.Names.Resolvers, addr), network.ConfigCmdline
	}
	if fields[9] != "" {
		b.plan.Time.Servers, b.plan.Time.Layer = append(b.plan.Time.Servers, fields[9]), network.ConfigCmdline
	}
	return nil
}
