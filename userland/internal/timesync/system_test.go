// SPDX-License-Identifier: Apache-2.0

package timesync

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"time"
)

// serve answers every packet on a port of this machine; an answer of nil is none.
func serve(t *testing.T, answer func(request []byte) []byte) (address string) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		request := make([]byte, 1024)
		for {
			n, from, err := conn.ReadFrom(request)
			if err != nil {
				return
			}
			if reply := answer(request[:n]); reply != nil {
				_, _ = conn.WriteTo(reply, from)
			}
		}
	}()
	return conn.LocalAddr().String()
}

// ahead is the answer of a server of stratum 1 whose clock is an hour ahead (RFC 5905 section 7.3).
func ahead(request []byte) []byte {
	reply := make([]byte, 48)
	reply[0], reply[1] = 4<<3|4, 1 // version 4, server
	const unixEpoch = 2_208_988_800
	now := uint64(time.Now().Add(time.Hour).Unix()+unixEpoch) << 32
	binary.BigEndian.PutUint64(reply[16:], now)
	copy(reply[24:32], request[40:48]) // what the client sent comes back
	binary.BigEndian.PutUint64(reply[32:], now)
	binary.BigEndian.PutUint64(reply[40:], now)
	return reply
}

func TestAsk(t *testing.T) {
	offset, err := Ask(t.Context(), serve(t, ahead))
	if err != nil || (offset-time.Hour).Abs() > time.Minute {
		t.Errorf("got %s, %v", offset, err)
	}
	if _, err := Ask(t.Context(), serve(t, func(request []byte) []byte { return request[:4] })); err == nil {
		t.Error("took half an answer")
	}
}

func TestAskEndsWithItsContext(t *testing.T) {
	before := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = before })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	for name, server := range map[string]string{
		"silent server":   serve(t, func([]byte) []byte { return nil }),
		"silent resolver": "time.invalid",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		began := time.Now()
		_, err := Ask(ctx, server)
		cancel()
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > queryTimeout {
			t.Errorf("%s: %v after %s", name, err, took)
		}
	}
}
