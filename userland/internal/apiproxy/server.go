// SPDX-License-Identifier: Apache-2.0

package apiproxy

import (
	"time"

	"github.com/siderolabs/grpc-proxy/proxy"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

// Bounds on what a caller can make this process hold.
const (
	connectionsAll   = 512
	connectionsEach  = 64               // from one host
	requestBytes     = 8 << 20          // of one message: a configuration is far smaller, a snapshot comes in pieces
	headerBytes      = 32 << 10         // metadata of one call
	streamsEach      = 128              // calls at the same time on one connection
	handshakeWait    = 10 * time.Second // TLS and HTTP/2 preface
	aliveAfter       = 30 * time.Second // of silence a connection is asked whether it lives
	aliveWait        = 20 * time.Second // for its answer
	pingsNotFaster   = 5 * time.Second
	connectionIdle   = 30 * time.Minute
	stopWait         = 3 * time.Second
	windowBytes      = 1 << 20 // what a slow reader can make us hold for one stream
	writeBufferBytes = 32 << 10
)

// newServer is a gRPC server that knows no service and proxies all.
func newServer(certs *certificates, d *director, open bool) *grpc.Server {
	return grpc.NewServer(
		grpc.Creds(saysWhy{credentials.NewTLS(certs.serverConfig(open))}),
		grpc.ForceServerCodecV2(proxy.Codec()),
		grpc.UnknownServiceHandler(proxy.TransparentHandler(d.direct, proxy.WithStreamedDetector(isStreamed))),
		grpc.StreamInterceptor(withIdentity(open)),
		grpc.MaxRecvMsgSize(requestBytes),
		grpc.MaxHeaderListSize(headerBytes),
		grpc.MaxConcurrentStreams(streamsEach),
		grpc.ConnectionTimeout(handshakeWait),
		grpc.InitialWindowSize(windowBytes),
		grpc.InitialConnWindowSize(windowBytes),
		grpc.WriteBufferSize(writeBufferBytes),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: aliveAfter, Timeout: aliveWait, MaxConnectionIdle: connectionIdle,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingsNotFaster, PermitWithoutStream: true}),
	)
}
