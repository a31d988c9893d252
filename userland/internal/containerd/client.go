// SPDX-License-Identifier: Apache-2.0

// Package containerd asks containerd for what it has, over its socket: images and containers of a namespace. It speaks
// containerd's own gRPC API, so that all work, fetching and unpacking above all, is containerd's and not PID 1's.
// Statuses of containerd are passed on.
package containerd

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// Namespaces that containerd keeps apart.
const (
	// Kubernetes holds what the kubelet runs.
	Kubernetes = "k8s.io"
	// System holds what the machine itself runs.
	System = "system"
)

// namespaceHeader names the namespace of a call, as containerd's clients do.
const namespaceHeader = "containerd-namespace"

// Client speaks to one containerd.
type Client struct {
	conn *grpc.ClientConn
}

// New connects with the first call, and again after containerd was restarted.
func New(socket string) (*Client, error) {
	conn, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, fmt.Errorf("containerd: %w", err)
	}
	return &Client{conn}, nil
}

// Close ends calls that are under way.
func (c *Client) Close() error { return c.conn.Close() }

func within(ctx context.Context, namespace string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, namespaceHeader, namespace)
}
