// SPDX-License-Identifier: Apache-2.0

package dhcp4

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
)

var (
	hardware = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	serverIP = net.IPv4(192, 0, 2, 1).To4()
)

// server answers in the place of the network, and notes what it was asked and when.
type server struct {
	mu      sync.Mutex
	start   time.Time
	address net.IP // what it gives; nil: it is silent
	nak     bool   // to requests
	seconds uint32
	log     []string
	source  netip.Addr
}

var errSilent = errors.New("silent")

func (s *server) open(source netip.Addr) (Exchanger, error) {
	s.source = source
	return s, nil
}

func (s *server) Close() error { return nil }

// become changes how the server answers from now on.
func (s *server) become(address net.IP, nak bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.address, s.nak, s.seconds = address, nak, 3600
}

func (s *server) SendAndRead(ctx context.Context, dest *net.UDPAddr, p *dhcpv4.DHCPv4, match nclient4.Matcher) (*dhcpv4.DHCPv4, error) {
	cast := "broadcast"
	if !dest.IP.Equal(net.IPv4bcast) {
		cast = "unicast"
	}
	s.mu.Lock()
	s.log = append(s.log, fmt.Sprintf("%s %s %s", time.Since(s.start), p.MessageType(), cast))
	address, nak, seconds := slices.Clone(s.address), s.nak, s.seconds
	s.mu.Unlock()
	if address == nil {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(10 * time.Second): // as long as its tries take
			return nil, errSilent
		}
	}
	kind := dhcpv4.MessageTypeOffer
	if p.MessageType() == dhcpv4.MessageTypeRequest {
		kind = dhcpv4.MessageTypeAck
		if nak {
			kind = dhcpv4.MessageTypeNak
		}
	}
	answer, err := dhcpv4.NewReplyFromRequest(p, dhcpv4.WithMessageType(kind), dhcpv4.WithYourIP(address),
		dhcpv4.WithNetmask(net.CIDRMask(24, 32)), dhcpv4.WithLeaseTime(seconds),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(serverIP)))
	if err != nil {
		return nil, err
	}
	if !match(answer) {
		return nil, errSilent
	}
	return answer, nil
}

// play runs a client and lets a script change the server while the (false) time passes. It returns what was reported.
func play(t *testing.T, s *server, previous *Lease, script func(s *server)) []string {
	var reports []string
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s.start = time.Now()
		if previous != nil {
			previous.At = s.start
		}
		c := &Client{
			MAC: hardware, ID: HardwareID(hardware), Hostname: func() string { return "node" }, Previous: previous, Open: s.open,
			Log: func(string) {},
			Report: func(l *Lease) {
				text := "lost"
				if l != nil {
					text = l.Address.String()
				}
				reports = append(reports, fmt.Sprintf("%s %s", time.Since(s.start), text))
			},
		}
		done := make(chan struct{})
		go func() { defer close(done); c.Run(ctx) }()
		synctest.Wait()
		script(s)
		cancel()
		<-done
	})
	return reports
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func TestRunRenewsByUnicastAtHalfTime(t *testing.T) {
	s := &server{address: net.IPv4(192, 0, 2, 10), seconds: 3600}
	reports := play(t, s, nil, func(*server) { time.Sleep(31 * time.Minute) })
	expect(t, "log", s.log, "0s DISCOVER broadcast", "0s REQUEST broadcast", "30m0s REQUEST unicast")
	expect(t, "reports", reports, "0s 192.0.2.10/24", "30m0s 192.0.2.10/24")
	if s.source != netip.MustParseAddr("192.0.2.10") {
		t.Errorf("renewed from %s", s.source)
	}
}

func TestRunRebindsThenExpiresAndStartsOver(t *testing.T) {
	s := &server{address: net.IPv4(192, 0, 2, 10), seconds: 3600}
	reports := play(t, s, nil, func(s *server) {
		s.become(nil, false)
		time.Sleep(61 * time.Minute)
		s.become(net.IPv4(192, 0, 2, 11), false)
		time.Sleep(2 * time.Minute)
	})
	unicast := slices.IndexFunc(s.log, func(l string) bool { return strings.HasSuffix(l, "REQUEST unicast") })
	rebind := slices.IndexFunc(s.log, func(l string) bool { return strings.HasPrefix(l, "52m35s REQUEST broadcast") })
	if unicast < 0 || rebind < unicast {
		t.Errorf("log %q", s.log)
	}
	if len(reports) != 3 || reports[1] != "1h0m0s lost" || !strings.HasSuffix(reports[2], " 192.0.2.11/24") {
		t.Errorf("reports %q", reports)
	}
}

func TestRunDropsTheAddressAtOnceAfterNAK(t *testing.T) {
	s := &server{address: net.IPv4(192, 0, 2, 10), seconds: 3600}
	reports := play(t, s, nil, func(s *server) {
		time.Sleep(29 * time.Minute)
		s.become(net.IPv4(192, 0, 2, 10), true)
		time.Sleep(2 * time.Minute)
	})
	expect(t, "reports", reports, "0s 192.0.2.10/24", "30m0s lost")
}

func TestRunKeepsTryingWhenNobodyAnswers(t *testing.T) {
	s := &server{}
	reports := play(t, s, nil, func(s *server) {
		time.Sleep(10 * time.Minute)
		s.become(net.IPv4(192, 0, 2, 10), false)
		time.Sleep(time.Minute)
	})
	if len(reports) != 1 {
		t.Errorf("reports %q", reports)
	}
}

func previousLease(t *testing.T) *Lease {
	t.Helper()
	s := &server{address: net.IPv4(192, 0, 2, 10), seconds: 3600}
	c := &Client{MAC: hardware, Open: s.open}
	held, err := c.acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return held
}

func TestRunConfirmsALeaseFromBefore(t *testing.T) {
	tests := []struct {
		name         string
		server       *server
		log, reports []string
	}{
		{"same network", &server{address: net.IPv4(192, 0, 2, 10), seconds: 600},
			[]string{"0s REQUEST broadcast"}, []string{"0s 192.0.2.10/24"}},
		{"refused", &server{address: net.IPv4(198, 51, 100, 9), seconds: 600, nak: true}, nil, []string{"0s lost"}},
		{"another network, silent", &server{}, nil, []string{"10s lost"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			reports := play(t, tc.server, previousLease(t), func(*server) { time.Sleep(30 * time.Second) })
			expect(t, "reports", reports, tc.reports...)
			if tc.log != nil {
				expect(t, "log", tc.server.log, tc.log...)
			}
		})
	}
}

func TestMessageCarriesIdentityAndQuestions(t *testing.T) {
	c := &Client{MAC: hardware, ID: HardwareID(hardware), Hostname: func() string { return "node" }}
	m := c.message(dhcpv4.MessageTypeDiscover)
	if !bytes.Equal(m.Options.Get(dhcpv4.OptionClientIdentifier), []byte{1, 2, 0, 0, 0, 0, 1}) || m.HostName() != "node" {
		t.Errorf("got %s", m.Summary())
	}
	if !m.IsOptionRequested(dhcpv4.OptionClasslessStaticRoute) || !m.IsOptionRequested(dhcpv4.OptionHostName) {
		t.Errorf("asks for %v", m.ParameterRequestList())
	}
	c.SkipHostname = true
	if m := c.message(dhcpv4.MessageTypeDiscover); m.HostName() != "" || m.IsOptionRequested(dhcpv4.OptionHostName) {
		t.Errorf("speaks of host names: %s", m.Summary())
	}
}

func TestNodeID(t *testing.T) {
	want := []byte{255, 0, 0, 0, 1, 0, 4, 9}
	if got := NodeID(hardware, []byte{0, 4, 9}); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
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

func TestGuardedSkipsWhatDoesNotDecode(t *testing.T) {
	valid := make([]byte, 240)
	copy(valid[236:], "\x63\x82\x53\x63") // the magic cookie ends the fixed part
	conn := guarded{&scripted{packets: [][]byte{nil, []byte("short"), append(valid, 255)}}}
	buffer := make([]byte, 1500)
	if n, _, err := conn.ReadFrom(buffer); n != len(valid)+1 || err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
	if _, _, err := conn.ReadFrom(buffer); !errors.Is(err, errEnd) {
		t.Errorf("got %v", err)
	}
}
