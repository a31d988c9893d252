// SPDX-License-Identifier: Apache-2.0

package connlimit

import (
	"net"
	"net/netip"
	"testing"
)

// queue hands out connections from these addresses.
type queue struct {
	net.Listener
	from []string
}

func (q *queue) Accept() (net.Conn, error) {
	if len(q.from) == 0 {
		return nil, net.ErrClosed
	}
	c := &conn{from: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(q.from[0]))}
	q.from = q.from[1:]
	return c, nil
}

type conn struct {
	net.Conn
	from net.Addr
}

func (c *conn) RemoteAddr() net.Addr { return c.from }

func (c *conn) Close() error { return nil }

func TestNewClosesWhatIsAboveTheLimits(t *testing.T) {
	q := &queue{from: []string{"10.0.0.1:1", "10.0.0.1:2", "10.0.0.1:3", "10.0.0.2:4", "10.0.0.3:5"}}
	l := New(q, 3, 2)
	var held []net.Conn
	for _, want := range []string{"10.0.0.1:1", "10.0.0.1:2", "10.0.0.2:4"} {
		c, err := l.Accept()
		if err != nil || c.RemoteAddr().String() != want {
			t.Fatalf("got %v, %v, want %s", c, err, want)
		}
		held = append(held, c)
	}
	if c, err := l.Accept(); err == nil {
		t.Errorf("%s was taken as the fourth", c.RemoteAddr())
	}
	for range 2 { // the second Close of a connection gives nothing back
		_ = held[0].Close()
	}
	q.from = []string{"10.0.0.1:6", "10.0.0.4:7"}
	if c, err := l.Accept(); err != nil || c.RemoteAddr().String() != "10.0.0.1:6" {
		t.Errorf("a place that was given back stays taken: %v", err)
	}
	if c, err := l.Accept(); err == nil {
		t.Errorf("%s was taken as the fourth", c.RemoteAddr())
	}
}

func TestHost(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.1:5": "10.0.0.1", "[::ffff:10.0.0.1]:5": "10.0.0.1", "[2001:db8::1]:5": "2001:db8::", "[fe80::1%eth0]:5": "fe80::",
	} {
		at, err := netip.ParseAddrPort(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := Host(net.TCPAddrFromAddrPort(at)); got.String() != want {
			t.Errorf("%s: got %s", text, got)
		}
	}
}
