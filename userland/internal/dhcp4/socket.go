// SPDX-License-Identifier: Apache-2.0

package dhcp4

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"golang.org/x/sys/unix"

	"dodeka/userland/internal/lease"
)

const (
	tryTimeout = 500 * time.Millisecond // for the first try of a message; each further one waits twice as long
	tries      = 5
)

// OpenLink returns a function for Client.Open that works on one link of this machine. Without a source address it uses a
// raw socket, since the link has no address yet; with one, an ordinary socket, so that the answer to a unicast is heard
// by the kernel and not answered with "port unreachable".
func OpenLink(link string, mac net.HardwareAddr) func(source netip.Addr) (Exchanger, error) {
	return func(source netip.Addr) (Exchanger, error) {
		conn, err := listen(link, source)
		if err != nil {
			return nil, err
		}
		client, err := nclient4.NewWithConn(guarded{conn}, mac, nclient4.WithTimeout(tryTimeout), nclient4.WithRetry(tries))
		if err != nil {
			_ = conn.Close()
			return nil, err
		}
		return client, nil
	}
}

func listen(link string, source netip.Addr) (net.PacketConn, error) {
	if !source.IsValid() {
		return nclient4.NewRawUDPConn(link, nclient4.ClientPort)
	}
	bind := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) { failed = unix.BindToDevice(int(fd), link) })
		return errors.Join(err, failed)
	}}
	return bind.ListenPacket(context.Background(), "udp4", netip.AddrPortFrom(source, nclient4.ClientPort).String())
}

// guarded drops packets that the client's decoder does not survive. The client reads in a goroutine of its own, where a
// panic would end PID 1, and with it the machine.
type guarded struct{ net.PacketConn }

// ReadFrom returns the next packet that decodes.
func (g guarded) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := g.readOnce(b)
		if errors.Is(err, lease.ErrDamaged) {
			continue
		}
		if err != nil {
			return n, from, err
		}
		if _, err := lease.Decode(b[:n]); err == nil {
			return n, from, nil
		}
	}
}

func (g guarded) readOnce(b []byte) (n int, from net.Addr, err error) {
	defer func() {
		if recover() != nil {
			n, from, err = 0, nil, lease.ErrDamaged
		}
	}()
	return g.PacketConn.ReadFrom(b)
}
