// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/security"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"dodeka/userland/internal/connlimit"
)

// Bounds of what clients can make us hold.
const (
	connectionsAll  = 256
	connectionsEach = 32       // from one host, which may stand for a network of nodes behind it
	maxRequest      = 64 << 10 // bytes; a signing request has about one thousand
	maxHeaders      = 8 << 10
	maxStreams      = 4
	handshake       = 10 * time.Second
	idle            = time.Minute
	maxTokenSize    = 1 << 10
)

// trust serves the one method.
type trust struct {
	security.UnimplementedSecurityServiceServer
	keys   *keyring
	limits *limits
	log    func(format string, arguments ...any)
	now    func() time.Time
}

// newServer returns a server that takes its certificate from the keyring at each handshake.
func newServer(keys *keyring, log func(string, ...any)) *grpc.Server {
	server := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: keys.certificate})),
		grpc.MaxRecvMsgSize(maxRequest), grpc.MaxHeaderListSize(maxHeaders), grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(handshake),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idle, Time: idle, Timeout: handshake}),
	)
	security.RegisterSecurityServiceServer(server, &trust{keys: keys, limits: newLimits(time.Now), log: log, now: time.Now})
	return server
}

// Certificate answers Unauthenticated to a wrong token, ResourceExhausted to too many calls, InvalidArgument to a bad
// request, and Unavailable while the machine has no secrets.
func (t *trust) Certificate(ctx context.Context, in *security.CertificateRequest) (*security.CertificateResponse, error) {
	from, ok := peer.FromContext(ctx)
	if !ok {
		return nil, status.Error(codes.Internal, "BUG: a call from nowhere")
	}
	if !t.limits.allow(connlimit.Host(from.Addr)) {
		return nil, status.Error(codes.ResourceExhausted, "too many requests; try again later")
	}
	i, err := t.keys.current()
	if err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	md, _ := metadata.FromIncomingContext(ctx)
	tokens := md.Get("token")
	if len(tokens) != 1 || len(tokens[0]) > maxTokenSize || !i.knows(tokens[0]) {
		t.log("refused %s: wrong token", from.Addr)
		return nil, status.Error(codes.Unauthenticated, "invalid token")
	}
	request, err := parseRequest(in.GetCsr())
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	certificate, err := i.sign(request, t.now())
	if err != nil {
		t.log("signing for %s failed: %v", from.Addr, err)
		return nil, status.Error(codes.Internal, "signing failed")
	}
	t.log("issued a certificate to %s: name %q, names %q, addresses %v", from.Addr, request.Subject.CommonName, request.DNSNames, request.IPAddresses)
	return &security.CertificateResponse{Ca: i.accepted, Crt: certificate}, nil
}
