// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"

	"dodeka/userland/internal/lease"
)

func TestRouteOf(t *testing.T) {
	link := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: 2}}
	config := lease.Config{Address: netip.MustParsePrefix("10.0.2.15/24")}
	tests := []struct {
		name             string
		route            lease.Route
		destination, via string
		scope            netlink.Scope
		flags            int
	}{
		{"default", route("0.0.0.0/0", "10.0.2.2"), "0.0.0.0/0", "10.0.2.2", netlink.SCOPE_UNIVERSE, 0},
		{"gateway outside", route("0.0.0.0/0", "192.0.2.1"), "0.0.0.0/0", "192.0.2.1", netlink.SCOPE_UNIVERSE, int(netlink.FLAG_ONLINK)},
		{"on link", route("192.0.2.1/32", ""), "192.0.2.1/32", "<nil>", netlink.SCOPE_LINK, 0},
	}
	for _, tc := range tests {
		got := routeOf(link, config, tc.route)
		if got.Dst.String() != tc.destination || got.Gw.String() != tc.via || got.Scope != tc.scope || got.Flags != tc.flags {
			t.Errorf("%s: got %v", tc.name, got)
		}
		if got.Priority != 1026 || got.Src.String() != "10.0.2.15" || got.LinkIndex != 2 {
			t.Errorf("%s: metric %d, source %s, link %d", tc.name, got.Priority, got.Src, got.LinkIndex)
		}
	}
}

func route(destination, gateway string) lease.Route {
	r := lease.Route{Destination: netip.MustParsePrefix(destination)}
	if gateway != "" {
		r.Gateway = netip.MustParseAddr(gateway)
	}
	return r
}

// scripted answers reads in order: a packet, or a panic for nil, and then an error.
type scripted struct {
	net.PacketConn
	packets [][]byte
}

var errEnd = errors.New("end")

func (s *scripted) ReadFrom(b []byte) (int, net.Addr, error) {
	if len(s.packets) == 0 {
		return 0, nil, errEnd
	}
	packet := s.packets[0]
	s.packets = s.packets[1:]
	if packet == nil {
		panic("decoder")
	}
	return copy(b, packet), nil, nil
}

func TestGuardedConnSkipsWhatDoesNotDecode(t *testing.T) {
	valid := make([]byte, 240)
	copy(valid[236:], "\x63\x82\x53\x63") // the magic cookie ends the fixed part
	conn := guardedConn{&scripted{packets: [][]byte{nil, []byte("short"), append(valid, 255)}}}
	buffer := make([]byte, 1500)
	if n, _, err := conn.ReadFrom(buffer); n != len(valid)+1 || err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
	if _, _, err := conn.ReadFrom(buffer); !errors.Is(err, errEnd) {
		t.Errorf("got %v", err)
	}
}

func TestSetCarrierKeepsTheNewestState(t *testing.T) {
	w := &worker{carrier: make(chan bool, 1)}
	for _, has := range []bool{false, true, true, false} {
		w.setCarrier(has)
	}
	if got := <-w.carrier; got {
		t.Error("an old state was kept")
	}
	select {
	case <-w.carrier:
		t.Error("a second state was kept")
	default:
	}
}
