// SPDX-License-Identifier: Apache-2.0

package apiproxy

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/siderolabs/grpc-proxy/proxy"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"dodeka/userland/internal/access"
)

// idle closes connections to machines that nobody asks for.
const idle = 5 * time.Minute

const (
	apidPort    = "50000"
	answerBytes = 32 << 20     // of one message from a backend, as clients of this API take it
	maxRemotes  = 2 * maxNodes // connections kept; more than a call can use, so that none closes its own
)

// plainBackend passes answers on as they are. Adding the machine's name is for named.
type plainBackend struct {
	name    string
	conn    *grpc.ClientConn
	forward bool // to another apid
}

var _ proxy.Backend = (*plainBackend)(nil)

func (b *plainBackend) String() string { return b.name }

// GetConnection passes the caller's metadata on, with the roles that its certificate has and none that it claims.
func (b *plainBackend) GetConnection(ctx context.Context, _ string) (context.Context, *grpc.ClientConn, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	md = md.Copy()
	access.PassRoles(md, access.From(ctx).Roles)
	if b.forward {
		md.Set(proxyFromKey, "apid")
	}
	for _, key := range []string{nodesKey, nodeKey, ":authority"} {
		delete(md, key)
	}
	return metadata.NewOutgoingContext(ctx, md), b.conn, nil
}

func (b *plainBackend) AppendInfo(_ bool, answer []byte) ([]byte, error) { return answer, nil }

func (b *plainBackend) BuildError(bool, error) ([]byte, error) { return nil, nil }

func dialSocket(path string) (*plainBackend, error) {
	conn, err := grpc.NewClient("unix:"+path,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(answerBytes), grpc.ForceCodecV2(proxy.Codec())),
	)
	return &plainBackend{name: "local", conn: conn}, err
}

// remotes keeps one connection to each machine that calls are forwarded to.
type remotes struct {
	tls   func() (*tls.Config, error)
	mu    sync.Mutex
	gets  uint64
	known map[string]*remote
}

type remote struct {
	plainBackend
	used uint64 // the get that asked for it last
}

func newRemotes(config func() (*tls.Config, error)) *remotes {
	return &remotes{tls: config, known: map[string]*remote{}}
}

func (r *remotes) get(target string) (proxy.Backend, error) {
	if err := checkTarget(target); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gets++
	if known := r.known[target]; known != nil {
		known.used = r.gets
		return &known.plainBackend, nil
	}
	config, err := r.tls()
	if err != nil {
		return nil, err
	}
	if len(r.known) >= maxRemotes {
		r.closeOldest()
	}
	conn, err := grpc.NewClient("passthrough:///"+net.JoinHostPort(target, apidPort),
		grpc.WithTransportCredentials(credentials.NewTLS(config)), grpc.WithNoProxy(), grpc.WithIdleTimeout(idle),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(answerBytes), grpc.ForceCodecV2(proxy.Codec())),
	)
	if err != nil {
		return nil, err
	}
	made := &remote{plainBackend{name: target, conn: conn, forward: true}, r.gets}
	r.known[target] = made
	return &made.plainBackend, nil
}

// close drops all connections: after a change of certificates, and at the end.
func (r *remotes) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, known := range r.known {
		_ = known.conn.Close()
	}
	clear(r.known)
}

func (r *remotes) closeOldest() {
	oldest := slices.MinFunc(slices.Collect(maps.Values(r.known)), func(a, b *remote) int { return cmp.Compare(a.used, b.used) })
	_ = oldest.conn.Close()
	delete(r.known, oldest.name)
}

// checkTarget lets addresses and host names through, without a port: a caller must not reach other services.
func checkTarget(target string) error {
	if _, err := netip.ParseAddr(target); err == nil {
		return nil
	}
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
	if target == "" || len(target) > 253 || strings.Trim(target, allowed) != "" {
		return fmt.Errorf("node %q: expected an address or a host name, without a port", target)
	}
	return nil
}
