// SPDX-License-Identifier: Apache-2.0

package dhcp6

import (
	"errors"
	"net"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/dhcpv6/nclient6"

	"dodeka/userland/internal/lease"
)

const (
	tryTimeout = time.Second // for the first try of a message; each further one waits twice as long
	tries      = 4
)

// OpenLink returns a function for Client.Open that works on one link of this machine. It fails while the link has no
// link-local address that is ready, which takes about two seconds after the link came up.
func OpenLink(link string, mac net.HardwareAddr) func() (Exchanger, error) {
	return func() (Exchanger, error) {
		conn, err := nclient6.NewIPv6UDPConn(link, dhcpv6.DefaultClientPort)
		if err != nil {
			return nil, err
		}
		client, err := nclient6.NewWithConn(guarded{conn}, mac, nclient6.WithTimeout(tryTimeout), nclient6.WithRetry(tries))
		if err != nil {
			_ = conn.Close()
			return nil, err
		}
		return client, nil
	}
}

// guarded drops packets that the client's decoder does not survive: it decodes in a goroutine of its own, where a panic
// would end PID 1.
type guarded struct{ net.PacketConn }

// ReadFrom returns the next packet that decodes.
func (g guarded) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := g.PacketConn.ReadFrom(b)
		if err != nil {
			return n, from, err
		}
		if _, err := decode(b[:n]); !errors.Is(err, lease.ErrDamaged) {
			return n, from, nil
		}
	}
}
