// SPDX-License-Identifier: Apache-2.0

package knftables

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Registers that expressions hand values through.
const (
	firstRegister  = 1
	secondRegister = 2
)

// field is a part of a packet: where it lies, in bytes, and the protocol that it belongs to.
type field struct {
	base   expr.PayloadBase
	offset uint32
	length uint32
}

var addressFields = map[string]field{
	"ip saddr":  {expr.PayloadBaseNetworkHeader, 12, 4},
	"ip daddr":  {expr.PayloadBaseNetworkHeader, 16, 4},
	"ip6 saddr": {expr.PayloadBaseNetworkHeader, 8, 16},
	"ip6 daddr": {expr.PayloadBaseNetworkHeader, 24, 16},
}

var portProtocols = map[string]byte{"tcp": unix.IPPROTO_TCP, "udp": unix.IPPROTO_UDP, "sctp": unix.IPPROTO_SCTP}

var destinationPort = field{expr.PayloadBaseTransportHeader, 2, 2}

var networkFamilies = map[string]byte{"ip": unix.NFPROTO_IPV4, "ip6": unix.NFPROTO_IPV6}

// compiler turns the words of one rule into the kernel's expressions.
type compiler struct {
	family Family
	words  []string
	made   []expr.Any
}

// compile understands the rules that the plugins write:
//
//	ip|ip6 saddr|daddr [==|!=] ADDRESS[/BITS]    tcp|udp|sctp dport PORT    fib daddr type local
//	jump|goto CHAIN    return    masquerade    dnat to ADDRESS:PORT
func compile(family Family, rule string) ([]expr.Any, error) {
	c := &compiler{family: family, words: strings.Fields(rule)}
	for len(c.words) > 0 {
		if err := c.statement(); err != nil {
			return nil, fmt.Errorf("rule %q: %w", rule, err)
		}
	}
	return c.made, nil
}

func (c *compiler) statement() error {
	word := c.next()
	switch word {
	case "ip", "ip6":
		return c.address(word)
	case "tcp", "udp", "sctp":
		return c.port(word)
	case "fib":
		return c.local()
	case "jump", "goto":
		return c.verdict(word)
	case "return":
		c.add(&expr.Verdict{Kind: expr.VerdictReturn})
		return nil
	case "masquerade":
		c.add(&expr.Masq{})
		return nil
	case "dnat":
		return c.dnat()
	default:
		return fmt.Errorf("found %q, expected a match or a verdict that this program knows", word)
	}
}

// address matches a source or destination address, or a network of them.
func (c *compiler) address(family string) error {
	f, known := addressFields[family+" "+c.next()]
	if !known {
		return fmt.Errorf("expected saddr or daddr after %q", family)
	}
	operator := expr.CmpOpEq
	switch word := c.next(); word {
	case "!=":
		operator = expr.CmpOpNeq
	case "==":
	default:
		c.words = append([]string{word}, c.words...)
	}
	prefix, err := parsePrefix(c.next())
	if err != nil {
		return err
	}
	if prefix.Addr().BitLen() != int(f.length)*8 {
		return fmt.Errorf("found %v, expected an address of family %s", prefix, family)
	}
	if err := c.networkFamily(family); err != nil {
		return err
	}
	c.load(f)
	if !prefix.IsSingleIP() {
		zero := make([]byte, f.length)
		c.add(&expr.Bitwise{
			SourceRegister: firstRegister, DestRegister: firstRegister, Len: f.length, Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen()), Xor: zero,
		})
	}
	c.add(&expr.Cmp{Op: operator, Register: firstRegister, Data: prefix.Masked().Addr().AsSlice()})
	return nil
}

// networkFamily makes a rule of an inet table match packets of one family only: addresses lie elsewhere in the others.
func (c *compiler) networkFamily(family string) error {
	if c.family != InetFamily {
		if string(c.family) != family {
			return fmt.Errorf("found family %s in a table of family %s", family, c.family)
		}
		return nil
	}
	c.add(&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: firstRegister})
	c.add(&expr.Cmp{Op: expr.CmpOpEq, Register: firstRegister, Data: []byte{networkFamilies[family]}})
	return nil
}

func (c *compiler) port(protocol string) error {
	if err := c.expect("dport"); err != nil {
		return err
	}
	port, err := strconv.ParseUint(c.next(), 10, 16)
	if err != nil {
		return fmt.Errorf("port: %w", err)
	}
	c.add(&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: firstRegister})
	c.add(&expr.Cmp{Op: expr.CmpOpEq, Register: firstRegister, Data: []byte{portProtocols[protocol]}})
	c.load(destinationPort)
	c.add(&expr.Cmp{Op: expr.CmpOpEq, Register: firstRegister, Data: binary.BigEndian.AppendUint16(nil, uint16(port))})
	return nil
}

// local matches packets to any address of this machine.
func (c *compiler) local() error {
	if err := c.expect("daddr", "type", "local"); err != nil {
		return err
	}
	c.add(&expr.Fib{Register: firstRegister, FlagDADDR: true, ResultADDRTYPE: true})
	c.add(&expr.Cmp{Op: expr.CmpOpEq, Register: firstRegister, Data: binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL)})
	return nil
}

func (c *compiler) verdict(word string) error {
	chain := c.next()
	if chain == "" {
		return fmt.Errorf("expected a chain after %q", word)
	}
	kind := expr.VerdictJump
	if word == "goto" {
		kind = expr.VerdictGoto
	}
	c.add(&expr.Verdict{Kind: kind, Chain: chain})
	return nil
}

func (c *compiler) dnat() error {
	if err := c.expect("to"); err != nil {
		return err
	}
	target, err := netip.ParseAddrPort(c.next())
	if err != nil {
		return fmt.Errorf("dnat: %w", err)
	}
	family := "ip"
	if target.Addr().Is6() {
		family = "ip6"
	}
	if string(c.family) != family {
		return fmt.Errorf("dnat to %v in a table of family %s", target, c.family)
	}
	port := binary.BigEndian.AppendUint16(nil, target.Port())
	c.add(&expr.Immediate{Register: firstRegister, Data: target.Addr().AsSlice()})
	c.add(&expr.Immediate{Register: secondRegister, Data: port})
	c.add(&expr.NAT{
		Type: expr.NATTypeDestNAT, Family: uint32(networkFamilies[family]),
		RegAddrMin: firstRegister, RegProtoMin: secondRegister,
	})
	return nil
}

func (c *compiler) load(f field) {
	c.add(&expr.Payload{DestRegister: firstRegister, Base: f.base, Offset: f.offset, Len: f.length})
}

func (c *compiler) add(e expr.Any) { c.made = append(c.made, e) }

// next takes a word; "" at the end of the rule.
func (c *compiler) next() string {
	if len(c.words) == 0 {
		return ""
	}
	word := c.words[0]
	c.words = c.words[1:]
	return word
}

func (c *compiler) expect(words ...string) error {
	for _, want := range words {
		if got := c.next(); got != want {
			return fmt.Errorf("found %q, expected %q", got, want)
		}
	}
	return nil
}

// parsePrefix reads a network, or an address as the network of it alone.
func parsePrefix(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		return netip.ParsePrefix(text)
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	return address.Prefix(address.BitLen())
}
