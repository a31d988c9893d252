// SPDX-License-Identifier: Apache-2.0

package dhcp6

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/dhcpv6/nclient6"
	"github.com/insomniacslk/dhcp/iana"
	"github.com/insomniacslk/dhcp/rfc1035label"
)

var (
	hardware   = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	duid       = MachineDUID("", hardware)
	serverDUID = &dhcpv6.DUIDEN{EnterpriseNumber: 1, EnterpriseIdentifier: []byte{7}}
)

func address(text string, preferred, valid time.Duration) *dhcpv6.OptIAAddress {
	return &dhcpv6.OptIAAddress{IPv6Addr: net.ParseIP(text), PreferredLifetime: preferred, ValidLifetime: valid}
}

// reply is a REPLY with the given parts of an IA_NA and other options.
func reply(parts []dhcpv6.Option, more ...dhcpv6.Option) *dhcpv6.Message {
	m, err := dhcpv6.NewMessage()
	if err != nil {
		panic(err)
	}
	m.MessageType = dhcpv6.MessageTypeReply
	m.AddOption(dhcpv6.OptClientID(duid))
	m.AddOption(dhcpv6.OptServerID(serverDUID))
	association := &dhcpv6.OptIANA{IaId: iaid(hardware)}
	for _, p := range parts {
		association.Options.Add(p)
	}
	m.AddOption(association)
	for _, o := range more {
		m.AddOption(o)
	}
	return m
}

func TestFromReply(t *testing.T) {
	one := []dhcpv6.Option{address("2001:db8::5", time.Hour, 2*time.Hour)}
	base := Config{
		Addresses: []Address{{netip.MustParseAddr("2001:db8::5"), time.Hour, 2 * time.Hour}},
		Renew:     30 * time.Minute, Rebind: 48 * time.Minute, Lifetime: 2 * time.Hour,
	}
	tests := []struct {
		name   string
		reply  *dhcpv6.Message
		change func(*Config)
	}{
		{"plain", reply(one), func(*Config) {}},
		{"the same twice, and not a host's", reply(append(slices.Clone(one), one[0], address("fe80::1", time.Hour, time.Hour),
			address("ff02::1", time.Hour, time.Hour), address("::ffff:1.2.3.4", time.Hour, time.Hour))), func(*Config) {}},
		{"lifetimes in the wrong order or short", reply(append(slices.Clone(one), address("2001:db8::6", 2*time.Hour, time.Hour),
			address("2001:db8::7", time.Second, time.Second))), func(*Config) {}},
		{"for ever", reply([]dhcpv6.Option{address("2001:db8::5", infinite, infinite)}), func(c *Config) {
			c.Addresses[0].Preferred, c.Addresses[0].Valid, c.Renew, c.Rebind, c.Lifetime = 0, 0, 0, 0, 0
		}},
		{"resolvers and names", reply(one, dhcpv6.OptDNS(net.ParseIP("2001:db8::53"), net.ParseIP("::1")),
			dhcpv6.OptDomainSearchList(&rfc1035label.Labels{Labels: []string{"example.org", "a b", "x\ny"}})), func(c *Config) {
			c.Resolvers, c.Search = []netip.Addr{netip.MustParseAddr("2001:db8::53")}, []string{"example.org"}
		}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			want := base
			want.Addresses = slices.Clone(base.Addresses)
			tc.change(&want)
			got, err := fromReply(tc.reply)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFromReplyRefuses(t *testing.T) {
	status := &dhcpv6.OptStatusCode{StatusCode: iana.StatusNoAddrsAvail}
	one := address("2001:db8::5", time.Hour, time.Hour)
	advertise := reply([]dhcpv6.Option{one})
	advertise.MessageType = dhcpv6.MessageTypeAdvertise
	tests := []struct {
		name  string
		reply *dhcpv6.Message
		want  string
	}{
		{"an advertise", advertise, "expected REPLY"},
		{"no address", reply(nil), "no usable address"},
		{"no addresses left", reply([]dhcpv6.Option{status}), "NoAddrsAvail"},
		{"refusal of all", reply([]dhcpv6.Option{one}, status), "NoAddrsAvail"},
	}
	for _, tc := range tests {
		if _, err := fromReply(tc.reply); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestMachineDUID(t *testing.T) {
	tests := []struct{ name, uuid, want string }{
		{"UUID", "00112233-4455-6677-8899-aabbccddeeff", "000400112233445566778899aabbccddeeff"},
		{"none", "", "00030001020000000001"},
		{"nonsense", "Not Settable", "00030001020000000001"},
	}
	for _, tc := range tests {
		if got := fmt.Sprintf("%x", MachineDUID(tc.uuid, hardware).ToBytes()); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
	}
	for _, text := range []string{"", "zz", "00", strings.Repeat("00", 131)} {
		if _, err := ParseDUID(text); err == nil {
			t.Errorf("accepted %q", text)
		}
	}
}

// server answers in the place of the network.
type server struct {
	start  time.Time
	silent atomic.Bool
	log    []string // read when the client has ended
}

var errSilent = errors.New("silent")

func (s *server) Close() error { return nil }

func (s *server) SendAndRead(ctx context.Context, _ *net.UDPAddr, m *dhcpv6.Message, match nclient6.Matcher) (*dhcpv6.Message, error) {
	s.log = append(s.log, fmt.Sprintf("%s %s", time.Since(s.start), m.MessageType))
	if s.silent.Load() {
		select {
		case <-ctx.Done():
		case <-time.After(15 * time.Second):
		}
		return nil, errSilent
	}
	answer := reply([]dhcpv6.Option{address("2001:db8::5", time.Hour, 2*time.Hour)})
	if m.MessageType == dhcpv6.MessageTypeSolicit {
		answer.MessageType = dhcpv6.MessageTypeAdvertise
	}
	if !match(answer) {
		return nil, errSilent
	}
	return answer, nil
}

func TestRunRenewsRebindsAndStartsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{start: time.Now()}
		var reports []string
		c := &Client{MAC: hardware, DUID: duid, Open: func() (Exchanger, error) { return s, nil }, Log: func(string) {},
			Report: func(l *Lease) { reports = append(reports, fmt.Sprintf("%s %v", time.Since(s.start), l != nil)) }}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.Run(ctx) }()
		time.Sleep(31 * time.Minute)
		s.silent.Store(true)
		time.Sleep(2*time.Hour + 5*time.Minute)
		cancel()
		<-done
		if want := []string{"0s true", "30m0s true", "2h30m0s false"}; !slices.Equal(reports, want) {
			t.Errorf("reports %q, want %q", reports, want)
		}
		want := []string{"0s SOLICIT", "0s REQUEST", "30m0s RENEW", "1h0m0s RENEW"}
		if !slices.Equal(s.log[:4], want) {
			t.Errorf("log %q", s.log)
		}
		if !slices.ContainsFunc(s.log, func(l string) bool { return strings.HasSuffix(l, " REBIND") }) {
			t.Errorf("no REBIND in %q", s.log)
		}
	})
}

func TestRunConfirmsTheLeaseFromBefore(t *testing.T) {
	tests := []struct {
		name          string
		silent        bool
		reports, asks []string
	}{
		{"the network is the same", false, []string{"0s true"}, []string{"0s REBIND"}},
		{"nobody knows it there", true, []string{"15s false"}, []string{"0s REBIND", "15s SOLICIT"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				before := reply([]dhcpv6.Option{address("2001:db8::5", time.Hour, 2*time.Hour)})
				config, err := fromReply(before)
				if err != nil {
					t.Fatal(err)
				}
				s := &server{start: time.Now()}
				s.silent.Store(tc.silent)
				var reports []string
				c := &Client{MAC: hardware, DUID: duid, Previous: &Lease{config, before, time.Now()},
					Open: func() (Exchanger, error) { return s, nil }, Log: func(string) {},
					Report: func(l *Lease) { reports = append(reports, fmt.Sprintf("%s %v", time.Since(s.start), l != nil)) }}
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				c.Run(ctx)
				if !slices.Equal(reports, tc.reports) || !slices.Equal(s.log, tc.asks) {
					t.Errorf("reports %q, log %q", reports, s.log)
				}
			})
		})
	}
}

func TestMineRefusesAnswersToOthers(t *testing.T) {
	c := &Client{MAC: hardware, DUID: MachineDUID("00112233-4455-6677-8899-aabbccddeeff", nil)}
	if c.mine(reply(nil)) {
		t.Error("took an answer to another client")
	}
}

func TestOffersWithoutAddressArePassedOver(t *testing.T) {
	c := &Client{MAC: hardware, DUID: duid}
	full := &dhcpv6.OptStatusCode{StatusCode: iana.StatusNoAddrsAvail}
	for _, tc := range []struct {
		name  string
		parts []dhcpv6.Option
		want  bool
	}{
		{"an address", []dhcpv6.Option{address("2001:db8::5", time.Hour, time.Hour)}, true},
		{"no addresses left", []dhcpv6.Option{full}, false},
		{"nothing", nil, false},
	} {
		m := reply(tc.parts)
		m.MessageType = dhcpv6.MessageTypeAdvertise
		if got := c.offers(m); got != tc.want {
			t.Errorf("%s: got %v", tc.name, got)
		}
	}
}

func FuzzFromReply(f *testing.F) {
	f.Add(reply([]dhcpv6.Option{address("2001:db8::5", time.Hour, 2*time.Hour)}, dhcpv6.OptDNS(net.ParseIP("2001:db8::53"))).ToBytes())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, packet []byte) {
		message, err := decode(packet)
		if err != nil {
			return
		}
		c, err := fromReply(message)
		if err != nil {
			return
		}
		if len(c.Addresses) == 0 || len(c.Addresses) > maxAddresses || len(c.Resolvers) > maxResolvers || len(c.Times) > maxTimeServers {
			t.Fatalf("accepted %+v", c)
		}
		if strings.ContainsAny(strings.Join(c.Search, ""), " \n#\x00") || len(c.Search) > maxSearch {
			t.Fatalf("accepted the names %q", c.Search)
		}
		if c.Renew != 0 && (c.Renew < 10*time.Second || c.Rebind <= c.Renew) {
			t.Fatalf("accepted the times %s, %s", c.Renew, c.Rebind)
		}
	})
}
