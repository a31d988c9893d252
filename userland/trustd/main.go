// SPDX-License-Identifier: Apache-2.0

// trustd gives nodes of the cluster the certificate of their machine API: a node that knows the cluster's token sends a
// signing request and gets a certificate that is good for a server, never for a client. It runs without rights and
// takes the secrets from PID 1 over the machine's own socket, which tells it by its user id.
// Spec: securityapi.SecurityService; the token travels as the gRPC metadata "token".
// What an attacker can do: guess tokens as slowly as the limits allow. Who has the token can get a certificate for any
// name; that the token is a secret of all nodes is how the protocol is made.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/cosi-project/runtime/api/v1alpha1"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/protobuf/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"dodeka/userland/internal/access"
	"dodeka/userland/internal/connlimit"
)

const listenAddress = ":50001"

func main() {
	log.SetFlags(0)
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "trustd:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends or the secrets cannot be followed any more; the supervisor starts trustd again then.
func run(ctx context.Context) error {
	conn, err := grpc.NewClient("unix://"+access.Socket, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())
	if err != nil {
		return err
	}
	defer conn.Close()
	keys := &keyring{}
	following := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		following <- keys.follow(ctx, state.WrapCore(client.NewAdapter(v1alpha1.NewStateClient(conn), client.WithDisableWatchRetry())))
	}()
	listener, err := net.Listen("tcp", listenAddress)
	if err != nil {
		return err
	}
	server := newServer(keys, log.Printf)
	serving := make(chan error, 1)
	go func() { serving <- server.Serve(connlimit.New(listener, connectionsAll, connectionsEach)) }()
	log.Printf("serving on %s", listener.Addr())
	select {
	case <-ctx.Done():
		server.Stop()
		return nil
	case err = <-following:
	case err = <-serving:
	}
	server.Stop()
	return err
}
