// SPDX-License-Identifier: Apache-2.0

// Package connlimit bounds how many connections a server holds at a time, in all and from one host: one host must not
// keep all others out.
package connlimit

import (
	"errors"
	"net"
	"net/netip"
	"sync"
)

// New returns a listener that closes connections above the limits as soon as they come.
func New(l net.Listener, all, each int) net.Listener {
	return &limited{Listener: l, most: all, mostEach: each, each: map[netip.Addr]int{}}
}

type limited struct {
	net.Listener
	most, mostEach int
	mu             sync.Mutex
	all            int
	each           map[netip.Addr]int
}

// Accept implements net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := Host(conn.RemoteAddr())
		if l.take(from) {
			return &counted{Conn: conn, done: sync.OnceFunc(func() { l.giveBack(from) })}, nil
		}
		_ = conn.Close()
	}
}

func (l *limited) take(from netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all >= l.most || l.each[from] >= l.mostEach {
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

// Host is what counts as one caller: an IPv4 address, or a /64 of IPv6, as one host can have all of its addresses.
func Host(addr net.Addr) netip.Addr {
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return netip.Addr{}
	}
	host := at.Addr().Unmap().WithZone("")
	if host.Is6() {
		if prefix, err := host.Prefix(64); err == nil {
			return prefix.Addr()
		}
	}
	return host
}

type counted struct {
	net.Conn
	done func()
}

// Close implements net.Conn.
func (c *counted) Close() error {
	c.done()
	return c.Conn.Close()
}

// CloseWrite ends what is sent, where the connection can (net.TCPConn, net.UnixConn, tls.Conn).
func (c *counted) CloseWrite() error {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}
