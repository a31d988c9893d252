// SPDX-License-Identifier: Apache-2.0

package apiproxy

import (
	"net"
	"net/netip"
	"sync"
)

// Connections at the same time: one address must not keep all others out.
const (
	connectionsAll  = 512
	connectionsEach = 64
)

// limited closes connections above the limits as soon as they come.
type limited struct {
	net.Listener
	mu    sync.Mutex
	all   int
	each  map[netip.Addr]int
	most  int
	mostA int
}

func limit(l net.Listener) net.Listener {
	return &limited{Listener: l, each: map[netip.Addr]int{}, most: connectionsAll, mostA: connectionsEach}
}

func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := addressOf(conn)
		if l.take(from) {
			return &counted{Conn: conn, done: sync.OnceFunc(func() { l.giveBack(from) })}, nil
		}
		_ = conn.Close()
	}
}

func (l *limited) take(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= l.most || l.each[from] >= l.mostA {
		return false
	}
	l.all++
	l.each[from]++
	return true
}

func (l *limited) giveBack(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.each[from]--; l.each[from] == 0 {
		delete(l.each, from)
	}
}

// addressOf counts IPv6 callers by their /64, as one host can have all of its addresses.
func addressOf(conn net.Conn) netip.Addr {
	at, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	addr := at.Addr().Unmap().WithZone("")
	if addr.Is6() {
		if prefix, err := addr.Prefix(64); err == nil {
			return prefix.Addr()
		}
	}
	return addr
}

type counted struct {
	net.Conn
	done func()
}

func (c *counted) Close() error {
	c.done()
	return c.Conn.Close()
}
