// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"syscall"
)

// attribute is one netlink attribute: length, type, value, padded to four bytes (netlink(7), struct nlattr).
func attribute(kind uint16, value []byte) []byte {
	out := binary.LittleEndian.AppendUint16(nil, uint16(4+len(value)))
	out = binary.LittleEndian.AppendUint16(out, kind)
	out = append(out, value...)
	for len(out)%4 != 0 {
		out = append(out, 0)
	}
	return out
}

const nested = 0x8000 // NLA_F_NESTED

func nest(kind uint16, attributes ...[]byte) []byte {
	var all []byte
	for _, a := range attributes {
		all = append(all, a...)
	}
	return attribute(kind|nested, all)
}

func text(s string) []byte { return append([]byte(s), 0) }

func big32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

func little32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

// message is one netlink message with its header (struct nlmsghdr).
func message(kind, flags uint16, sequence uint32, body []byte) []byte {
	out := binary.LittleEndian.AppendUint32(nil, uint32(16+len(body)))
	out = binary.LittleEndian.AppendUint16(out, kind)
	out = binary.LittleEndian.AppendUint16(out, flags)
	out = binary.LittleEndian.AppendUint32(out, sequence)
	out = binary.LittleEndian.AppendUint32(out, 0)
	return append(out, body...)
}

// talk sends messages and waits for as many acknowledgements; the first error is returned.
func talk(protocol int, messages []byte, acks int) error {
	socket, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW, protocol)
	if err != nil {
		return err
	}
	defer syscall.Close(socket)
	_ = syscall.SetsockoptTimeval(socket, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &syscall.Timeval{Sec: 10})
	if err := syscall.Sendto(socket, messages, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return err
	}
	buffer := make([]byte, 65536)
	for acks > 0 {
		n, _, err := syscall.Recvfrom(socket, buffer, 0)
		if err != nil {
			return fmt.Errorf("no answer: %w", err)
		}
		answers, err := syscall.ParseNetlinkMessage(buffer[:n])
		if err != nil {
			return err
		}
		for _, answer := range answers {
			if answer.Header.Type != syscall.NLMSG_ERROR {
				continue
			}
			if errno := -int32(binary.LittleEndian.Uint32(answer.Data)); errno != 0 {
				return fmt.Errorf("message %d: %w", answer.Header.Seq, syscall.Errno(errno))
			}
			acks--
		}
	}
	return nil
}

const createAck = syscall.NLM_F_REQUEST | syscall.NLM_F_ACK | syscall.NLM_F_CREATE

// addLink makes a network interface (rtnetlink(7), RTM_NEWLINK with IFLA_LINKINFO).
func addLink(name, kind string, data []byte) error {
	const infoKind, infoData = 1, 2 // IFLA_INFO_KIND, IFLA_INFO_DATA
	info := [][]byte{attribute(infoKind, text(kind))}
	if data != nil {
		info = append(info, nest(infoData, data))
	}
	body := make([]byte, syscall.SizeofIfInfomsg)
	body = append(body, attribute(syscall.IFLA_IFNAME, text(name))...)
	body = append(body, nest(syscall.IFLA_LINKINFO, info...)...)
	err := talk(syscall.NETLINK_ROUTE, message(syscall.RTM_NEWLINK, createAck|syscall.NLM_F_EXCL, 1, body), 1)
	if err != nil {
		return fmt.Errorf("link of kind %s: %w", kind, err)
	}
	return nil
}

func links() error {
	const vxlanID, genevID = 1, 1 // IFLA_VXLAN_ID, IFLA_GENEVE_ID
	const geneveRemote = 2        // IFLA_GENEVE_REMOTE
	geneve := append(attribute(genevID, little32(7)), attribute(geneveRemote, []byte{192, 0, 2, 1})...)
	for _, link := range []struct {
		name, kind string
		data       []byte
	}{
		{"br0", "bridge", nil}, {"pod0", "veth", nil}, {"vxlan0", "vxlan", attribute(vxlanID, little32(42))},
		{"geneve0", "geneve", geneve}, {"wg0", "wireguard", nil}, {"ifb9", "ifb", nil}, {"bond1", "bond", nil},
		{"netkit0", "netkit", nil},
	} {
		if err := addLink(link.name, link.kind, link.data); err != nil {
			return err
		}
	}
	return nil
}

// nftables makes what kube-proxy makes: a table of family inet with a nat chain and a rule that masquerades.
// See Linux include/uapi/linux/netfilter/nf_tables.h.
func nftables() error {
	const (
		batchBegin, batchEnd         = 0x10, 0x11
		newTable, newChain, newRule  = 0x0a00, 0x0a03, 0x0a06
		inet                         = 1
		hookPostrouting, prioritySrc = 4, 100
	)
	family := func(f byte, resource uint16) []byte { return binary.BigEndian.AppendUint16([]byte{f, 0}, resource) }
	hook := nest(4, attribute(1, big32(hookPostrouting)), attribute(2, big32(prioritySrc)))
	masquerade := nest(4, nest(1, attribute(1, text("masq"))))
	table := append(family(inet, 0), attribute(1, text("pods"))...)
	chain := append(family(inet, 0), attribute(1, text("pods"))...)
	chain = append(chain, attribute(3, text("masquerade"))...)
	chain = append(append(chain, hook...), attribute(7, text("nat"))...)
	rule := append(family(inet, 0), attribute(1, text("pods"))...)
	rule = append(append(rule, attribute(2, text("masquerade"))...), masquerade...)
	batch := message(batchBegin, syscall.NLM_F_REQUEST, 1, family(0, 10))
	batch = append(batch, message(newTable, createAck, 2, table)...)
	batch = append(batch, message(newChain, createAck, 3, chain)...)
	batch = append(batch, message(newRule, createAck|syscall.NLM_F_APPEND, 4, rule)...)
	batch = append(batch, message(batchEnd, syscall.NLM_F_REQUEST, 5, family(0, 10))...)
	return talk(syscall.NETLINK_NETFILTER, batch, 3)
}
