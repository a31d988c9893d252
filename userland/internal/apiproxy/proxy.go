// SPDX-License-Identifier: Apache-2.0

// Package apiproxy is the front of the machine API on the network: it ends TLS, reads the caller's roles out of the
// client certificate, and passes each call on to this machine's socket or to other machines. It decides nothing about
// methods; that is done behind the socket, by a process that it cannot change.
// Certificates and settings come from the resource state over the same socket and are followed, not read once.
package apiproxy

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	cosi "github.com/cosi-project/runtime/api/v1alpha1"
	"github.com/siderolabs/talos/pkg/machinery/api/resource/definitions/network"
	"github.com/siderolabs/talos/pkg/machinery/api/resource/definitions/runtime"
	"github.com/siderolabs/talos/pkg/machinery/api/resource/definitions/secrets"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"dodeka/userland/internal/connlimit"
)

// Options of Run.
type Options struct {
	Socket string                             // of the machine API
	Log    func(format string, values ...any) // one line each
}

// Run serves until ctx ends or the socket's server goes away. Settings that change restart the listener; certificates
// that change do not.
func Run(ctx context.Context, options Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	local, err := dialSocket(options.Socket)
	if err != nil {
		return fmt.Errorf("machine API socket: %w", err)
	}
	defer local.conn.Close()
	// Resources are read as apid itself, on a connection that serves no caller.
	own, err := grpc.NewClient("unix:"+options.Socket, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())
	if err != nil {
		return fmt.Errorf("machine API socket: %w", err)
	}
	defer own.Close()
	p := &proxyServer{options: options, local: local, ctx: ctx}
	p.remotes = newRemotes(p.certificates.clientConfig)
	defer p.finish()
	return p.follow(ctx, cosi.NewStateClient(own))
}

// proxyServer is what a change of settings or certificates acts on. Only follow changes it.
type proxyServer struct {
	options      Options
	ctx          context.Context
	local        *plainBackend
	remotes      *remotes
	addresses    addresses
	certificates certificates
	ready        bool // a certificate has come
	config       *runtime.APIServiceConfigSpec
	server       *grpc.Server
	stopping     sync.WaitGroup
}

func (p *proxyServer) follow(ctx context.Context, client cosi.StateClient) error {
	changes, ended := make(chan change), make(chan error, 1)
	go func() { ended <- watch(ctx, client, changes) }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			if ctx.Err() != nil {
				return nil
			}
			return err
		case c := <-changes:
			if err := p.take(c); err != nil {
				return err
			}
		}
	}
}

// take acts on one change.
func (p *proxyServer) take(c change) error {
	switch c.kind {
	case certificatesType:
		return p.takeCertificates(c)
	case settingsType:
		return p.takeSettings(c)
	case addressesType:
		spec := &network.NodeAddressSpec{}
		there, err := c.decode(spec)
		if there {
			p.addresses.setAddresses(spec)
		}
		return err
	case hostnameType:
		spec := &network.HostnameStatusSpec{}
		there, err := c.decode(spec)
		if there {
			p.addresses.setName(spec)
		}
		return err
	}
	return nil
}

// takeCertificates keeps those before when new ones cannot be used.
func (p *proxyServer) takeCertificates(c change) error {
	spec := &secrets.APICertsSpec{}
	if there, err := c.decode(spec); !there {
		return err
	}
	if err := p.certificates.update(spec); err != nil {
		p.options.Log("certificates are not used: %v", err)
		return nil
	}
	p.ready = true
	p.remotes.close()
	return p.startIfReady()
}

func (p *proxyServer) takeSettings(c change) error {
	spec := &runtime.APIServiceConfigSpec{}
	there, err := c.decode(spec)
	if err != nil {
		return err
	}
	if there && p.config != nil && proto.Equal(p.config, spec) {
		return nil
	}
	p.stop()
	p.config = nil
	if there {
		p.config = spec
	}
	return p.startIfReady()
}

func (p *proxyServer) startIfReady() error {
	if p.config == nil || !p.ready || p.server != nil {
		return nil
	}
	return p.start()
}

func (p *proxyServer) start() error {
	listener, err := p.listen(p.config.ListenAddress)
	if err != nil {
		return err
	}
	d := &director{local: p.local, isLocal: p.addresses.has, routing: !p.config.NodeRoutingDisabled}
	if p.certificates.forwards() {
		d.remote = p.remotes.get
	}
	open := p.config.SkipVerifyingClientCert
	p.server = newServer(&p.certificates, d, open)
	p.options.Log("listening on %s, client certificates %s", listener.Addr(), asked(open))
	go func(server *grpc.Server) { _ = server.Serve(listener) }(p.server)
	return nil
}

func asked(open bool) string {
	if open {
		return "not asked for: this machine has no configuration yet"
	}
	return "required"
}

// listen tries for a while: the listener before may still be closing, the address may not be there yet.
func (p *proxyServer) listen(address string) (net.Listener, error) {
	var last error
	for range 20 {
		listener, err := (&net.ListenConfig{}).Listen(p.ctx, "tcp", address)
		if err == nil {
			return connlimit.New(listener, connectionsAll, connectionsEach), nil
		}
		last = err
		select {
		case <-p.ctx.Done():
			return nil, p.ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
	return nil, fmt.Errorf("listen on %s: %w", address, last)
}

// stop lets calls end that are being answered, in the background and not for long: a caller of the machine without
// configuration must not stay connected to the machine with one.
func (p *proxyServer) stop() {
	server := p.server
	if server == nil {
		return
	}
	p.server = nil
	p.stopping.Go(func() {
		timer := time.AfterFunc(stopWait, server.Stop)
		defer timer.Stop()
		server.GracefulStop()
	})
}

// finish is stop that waits, for the end of the process.
func (p *proxyServer) finish() {
	p.stop()
	p.stopping.Wait()
}
