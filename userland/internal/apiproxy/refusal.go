// SPDX-License-Identifier: Apache-2.0

package apiproxy

import (
	"io"
	"net"
	"time"

	"google.golang.org/grpc/credentials"
)

// What a refused caller may still send before he has read why.
const (
	refusedWait  = time.Second
	refusedBytes = 64 << 10
)

// saysWhy is TLS whose refusals reach the caller. In TLS 1.3 (RFC 8446, section 4.4.2.4) a client has done its part before
// the server looks at its certificate and sends at once; a socket that is closed with unread data is reset, and the
// reset overtakes the alert. So what comes is read, for a moment, before the connection is closed.
type saysWhy struct {
	credentials.TransportCredentials
}

// ServerHandshake implements credentials.TransportCredentials.
func (c saysWhy) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	kept := &keptOpen{Conn: raw}
	conn, info, err := c.TransportCredentials.ServerHandshake(kept)
	kept.closes = true
	if err != nil {
		closeSlowly(raw)
	}
	return conn, info, err
}

// Clone implements credentials.TransportCredentials.
func (c saysWhy) Clone() credentials.TransportCredentials {
	return saysWhy{c.TransportCredentials.Clone()}
}

// keptOpen leaves the closing to whoever made it, until `closes` is set.
type keptOpen struct {
	net.Conn
	closes bool
}

// Close implements net.Conn.
func (c *keptOpen) Close() error {
	if !c.closes {
		return nil
	}
	return c.Conn.Close()
}

// closeSlowly tells the other side that nothing more comes, and reads what it sends until it closes too.
func closeSlowly(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_ = conn.SetReadDeadline(time.Now().Add(refusedWait))
		_, _ = io.CopyN(io.Discard, conn, refusedBytes)
	}
	_ = conn.Close()
}
