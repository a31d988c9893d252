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
	"time"

	cosi "github.com/cosi-project/runtime/api/v1alpha1"
	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/protobuf/client"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"dodeka/userland/internal/access"
)

// Options of Run.
type Options struct {
	Socket string                             // of the machine API
	Listen func(address string) net.Listener  // tests; nil listens on TCP
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
	resources, closeState, err := openState(options.Socket)
	if err != nil {
		return err
	}
	defer closeState()
	p := &proxyServer{options: options, local: local, ctx: ctx}
	p.remotes = newRemotes(p.certificates.clientConfig)
	defer p.stop()
	failed := make(chan error, 1)
	go func() { failed <- p.addresses.follow(access.AsComponent(ctx, access.APID), resources) }()
	return p.follow(ctx, resources, failed)
}

// openState reads resources as apid itself, on a connection that serves no caller.
func openState(socket string) (state.State, func() error, error) {
	conn, err := grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())
	if err != nil {
		return nil, nil, fmt.Errorf("state socket: %w", err)
	}
	return state.WrapCore(client.NewAdapter(cosi.NewStateClient(conn))), conn.Close, nil
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
}

func (p *proxyServer) follow(ctx context.Context, resources state.State, failed <-chan error) error {
	events := make(chan state.Event)
	self := access.AsComponent(ctx, access.APID)
	for _, wanted := range []*resource.Metadata{secrets.NewAPI().Metadata(), runtime.NewAPIServiceConfig().Metadata()} {
		if err := resources.Watch(self, wanted, events); err != nil {
			return fmt.Errorf("watch %s: %w", wanted.Type(), err)
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			if err != nil {
				return fmt.Errorf("watch addresses: %w", err)
			}
			return nil
		case event := <-events:
			if event.Type == state.Errored {
				return fmt.Errorf("watch: %w", event.Error)
			}
			if err := p.take(event); err != nil {
				return err
			}
		}
	}
}

// take acts on one change. A certificate that cannot be used is reported and the one before stays.
func (p *proxyServer) take(event state.Event) error {
	if event.Type == state.Destroyed {
		if event.Resource.Metadata().Type() == runtime.APIServiceConfigType {
			p.config = nil
			p.stop()
		}
		return nil
	}
	if event.Type != state.Created && event.Type != state.Updated {
		return nil
	}
	switch r := event.Resource.(type) {
	case *secrets.API:
		if err := p.certificates.update(r.TypedSpec()); err != nil {
			p.options.Log("certificates are not used: %v", err)
			return nil
		}
		p.ready = true
		p.remotes.close()
	case *runtime.APIServiceConfig:
		if p.config != nil && *p.config == *r.TypedSpec() {
			return nil
		}
		p.config = r.TypedSpec()
		p.stop()
	}
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
	p.server = newServer(&p.certificates, d, p.config.SkipVerifyingClientCert || p.config.ReadonlyRoleMode)
	p.options.Log("listening on %s, client certificates %s", listener.Addr(), asked(!p.config.SkipVerifyingClientCert))
	go func(server *grpc.Server) { _ = server.Serve(listener) }(p.server)
	return nil
}

func asked(yes bool) string {
	if yes {
		return "required"
	}
	return "not asked for: this machine has no configuration yet"
}

// listen tries for a while: the listener before may still be closing, the address may not be there yet.
func (p *proxyServer) listen(address string) (net.Listener, error) {
	if p.options.Listen != nil {
		return limit(p.options.Listen(address)), nil
	}
	var last error
	for range 20 {
		listener, err := (&net.ListenConfig{}).Listen(p.ctx, "tcp", address)
		if err == nil {
			return limit(listener), nil
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
	done := make(chan struct{})
	closing := make(chan struct{})
	go func() {
		close(closing)
		server.GracefulStop()
		close(done)
	}()
	<-closing
	go func() {
		select {
		case <-done:
		case <-time.After(stopWait):
			server.Stop()
		}
	}()
}
