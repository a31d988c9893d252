// SPDX-License-Identifier: Apache-2.0

package knftables

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/nftables/expr"
)

var isIPv4 = []expr.Any{
	&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
	&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{2}},
}

var (
	toAnyLocal = []expr.Any{
		&expr.Fib{Register: 1, FlagDADDR: true, ResultADDRTYPE: true},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{2, 0, 0, 0}},
	}
	toTCP8080 = []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{6}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{0x1f, 0x90}},
	}
	masquerade = []expr.Any{&expr.Masq{}}
)

func address(offset uint32, op expr.CmpOp, data ...byte) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: uint32(len(data))},
		&expr.Cmp{Op: op, Register: 1, Data: data},
	}
}

func network(offset uint32, op expr.CmpOp, mask []byte, data ...byte) []expr.Any {
	size := uint32(len(data))
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: size, Mask: mask, Xor: make([]byte, size)},
		&expr.Cmp{Op: op, Register: 1, Data: data},
	}
}

func join(lists ...[]expr.Any) []expr.Any {
	var all []expr.Any
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

func TestCompile(t *testing.T) {
	multicast := append([]byte{0xff}, make([]byte, 15)...)
	for _, test := range []struct {
		name   string
		family Family
		rule   string
		want   []expr.Any
	}{
		{"nothing", IPv4Family, "", nil},
		{"to local addresses", IPv4Family, "fib daddr type local jump hostports_all",
			join(toAnyLocal, []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: "hostports_all"}})},
		{"another chain", InetFamily, "goto masq_checks",
			[]expr.Any{&expr.Verdict{Kind: expr.VerdictGoto, Chain: "masq_checks"}}},
		{"a port to IPv4", IPv4Family, "tcp dport 8080 dnat to 10.1.2.3:80", join(toTCP8080, []expr.Any{
			&expr.Immediate{Register: 1, Data: []byte{10, 1, 2, 3}},
			&expr.Immediate{Register: 2, Data: []byte{0, 80}},
			&expr.NAT{Type: expr.NATTypeDestNAT, Family: 2, RegAddrMin: 1, RegProtoMin: 2},
		})},
		{"a port to IPv6", IPv6Family, "tcp dport 8080 dnat to [fd00::1]:80", join(toTCP8080, []expr.Any{
			&expr.Immediate{Register: 1, Data: []byte{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
			&expr.Immediate{Register: 2, Data: []byte{0, 80}},
			&expr.NAT{Type: expr.NATTypeDestNAT, Family: 10, RegAddrMin: 1, RegProtoMin: 2},
		})},
		{"a host's address", IPv4Family, "ip daddr 192.0.2.1 tcp dport 8080",
			join(address(16, expr.CmpOpEq, 192, 0, 2, 1), toTCP8080)},
		{"a hairpin", IPv4Family, "ip saddr 10.1.2.3 ip daddr 10.1.2.3 masquerade",
			join(address(12, expr.CmpOpEq, 10, 1, 2, 3), address(16, expr.CmpOpEq, 10, 1, 2, 3), masquerade)},
		{"leaving a network", InetFamily, "ip saddr == 10.1.2.3 ip daddr != 10.1.2.0/20 masquerade", join(
			isIPv4, address(12, expr.CmpOpEq, 10, 1, 2, 3),
			isIPv4, network(16, expr.CmpOpNeq, []byte{0xff, 0xff, 0xf0, 0}, 10, 1, 0, 0),
			masquerade)},
		{"multicast", InetFamily, "ip6 daddr == ff00::/8  return", join(
			[]expr.Any{
				&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
				&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{10}},
			},
			network(24, expr.CmpOpEq, multicast, multicast...),
			[]expr.Any{&expr.Verdict{Kind: expr.VerdictReturn}})},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := compile(test.family, test.rule)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, test := range []struct{ name, rule, want string }{
		{"a word that it does not know", "ct state new accept", `found "ct"`},
		{"another field", "ip ttl 3", "expected saddr or daddr"},
		{"no address", "ip saddr", "unable to parse"},
		{"a name", "ip saddr localhost", "unable to parse"},
		{"an address of the other family", "ip saddr fd00::1", "expected an address of family ip"},
		{"the other family's table", "ip6 saddr fd00::1", "in a table of family ip"},
		{"a port that is none", "tcp dport 65536", "port"},
		{"a service", "tcp dport http", "port"},
		{"a jump to nowhere", "jump", "expected a chain"},
		{"other fib results", "fib saddr type local", `expected "daddr"`},
		{"dnat without a port", "dnat to 10.1.2.3", "dnat"},
		{"dnat to the other family", "dnat to [fd00::1]:80", "in a table of family ip"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := compile(IPv4Family, test.rule)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestConcat(t *testing.T) {
	port := 80
	for _, test := range []struct {
		name  string
		parts []any
		want  string
	}{
		{"words and numbers", []any{"tcp", "dport", 80}, "tcp dport 80"},
		{"lists", []any{[]string{"ip", "saddr"}, "x"}, "ip saddr x"},
		{"nothing", []any{[]string(nil), "", "x"}, "x"},
		{"pointers", []any{"dport", &port}, "dport 80"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Concat(test.parts...); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
