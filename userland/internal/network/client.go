// SPDX-License-Identifier: Apache-2.0

package network

import (
	"errors"
	"net"

	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"

	"dodeka/userland/internal/lease"
)

// openClient opens a DHCP client that survives any packet.
func openClient(name string) (*nclient4.Client, error) {
	device, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	conn, err := nclient4.NewRawUDPConn(name, nclient4.ClientPort)
	if err != nil {
		return nil, err
	}
	client, err := nclient4.NewWithConn(guardedConn{conn}, device.HardwareAddr,
		nclient4.WithTimeout(tryTimeout), nclient4.WithRetry(tries))
	if err != nil {
		_ = conn.Close()
	}
	return client, err
}

// guardedConn drops packets that the client's decoder does not survive. The client reads in a goroutine of its own,
// where a panic would end PID 1, and with it the machine.
type guardedConn struct{ net.PacketConn }

// ReadFrom returns the next packet that decodes.
func (g guardedConn) ReadFrom(b []byte) (int, net.Addr, error) {
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

func (g guardedConn) readOnce(b []byte) (n int, from net.Addr, err error) {
	defer func() {
		if recover() != nil {
			n, from, err = 0, nil, lease.ErrDamaged
		}
	}()
	return g.PacketConn.ReadFrom(b)
}
