// SPDX-License-Identifier: Apache-2.0

package apiproxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"
)

// TestARefusedCallerReadsWhy has callers that write before they read. None of them may see a reset instead.
func TestARefusedCallerReadsWhy(t *testing.T) {
	address, refused := refuseAll(t)
	config := &tls.Config{
		InsecureSkipVerify: true, Certificates: []tls.Certificate{selfSigned(t)}, NextProtos: []string{"h2"},
	}
	for range 100 {
		conn, err := tls.Dial("tcp", address, config)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // a closed socket answers the first with a reset, which the others meet
			if _, err := conn.Write(make([]byte, 1000)); err != nil {
				t.Errorf("write: %v", err)
			}
			time.Sleep(time.Millisecond)
		}
		const why = "remote error: tls: unknown certificate authority"
		if _, err := conn.Read(make([]byte, 1)); err == nil || err.Error() != why {
			t.Errorf("read: %v, expected %s", err, why)
		}
		_ = conn.Close()
		<-refused
	}
}

// TestARefusedCallerDoesNotStay has one that neither reads nor closes.
func TestARefusedCallerDoesNotStay(t *testing.T) {
	address, refused := refuseAll(t)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET / HTTP/1.0\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-refused:
	case <-time.After(20 * refusedWait):
		t.Fatal("he is still here")
	}
}

// refuseAll listens where no certificate is accepted, and tells of each caller who is refused and gone.
func refuseAll(t *testing.T) (string, <-chan error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	server := saysWhy{credentials.NewTLS(&tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{selfSigned(t)}, NextProtos: []string{"h2"},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool(),
	})}
	refused := make(chan error)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _, err = server.ServerHandshake(conn)
			refused <- err
		}
	}()
	return listener.Addr().String(), refused
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}
