// SPDX-License-Identifier: Apache-2.0

package apiproxy

import (
	"context"
	"slices"
	"strings"

	"github.com/siderolabs/grpc-proxy/proxy"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Metadata keys that choose machines: "nodes" for answers that name their machine, "node" for one machine's plain
// answer, "proxyfrom" on what another apid forwarded, so that it is not forwarded again.
const (
	nodesKey     = "nodes"
	nodeKey      = "node"
	proxyFromKey = "proxyfrom"
)

// maxNodes bounds the connections that one call can cause.
const maxNodes = 256

// aggregated are the services whose answers have room for the machine they come from.
var aggregated = []string{
	"/machine.MachineService/", "/cluster.ClusterService/", "/inspect.InspectService/", "/storage.StorageService/",
	"/time.TimeService/",
}

// streamed are the methods of those services that answer with a stream: their messages are passed on one by one.
var streamed = []string{
	"Copy", "DiskUsage", "Dmesg", "EtcdSnapshot", "Events", "ImageList", "Kubeconfig", "List", "Logs", "PacketCapture", "Read",
	"HealthCheck",
}

// director chooses who answers a call.
type director struct {
	local   proxy.Backend
	remote  func(target string) (proxy.Backend, error) // nil where nothing is forwarded
	isLocal func(target string) bool
	routing bool // false: the metadata is not looked at
}

func (d *director) direct(ctx context.Context, method string) (proxy.Mode, []proxy.Backend, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	nodes, node := md.Get(nodesKey), md.Get(nodeKey)
	switch {
	case !d.routing || len(md.Get(proxyFromKey)) > 0 || (len(nodes) == 0 && len(node) == 0):
		return proxy.One2One, []proxy.Backend{d.local}, nil
	case len(nodes) > 0:
		return d.directMany(nodes, method)
	case len(node) > 1:
		return proxy.One2One, nil, status.Errorf(codes.InvalidArgument, "metadata %q has %d values, expected one", nodeKey, len(node))
	}
	backend, err := d.backend(node[0])
	return proxy.One2One, []proxy.Backend{backend}, err
}

func (d *director) directMany(nodes []string, method string) (proxy.Mode, []proxy.Backend, error) {
	if !slices.ContainsFunc(aggregated, func(service string) bool { return strings.HasPrefix(method, service) }) {
		return proxy.One2One, nil, status.Errorf(codes.InvalidArgument, "%s answers for one machine at a time: use one node", method)
	}
	if len(nodes) > maxNodes {
		return proxy.One2One, nil, status.Errorf(codes.InvalidArgument, "call for %d machines, expected at most %d", len(nodes), maxNodes)
	}
	backends := make([]proxy.Backend, len(nodes))
	for i, target := range nodes {
		backend, err := d.backend(target)
		if err != nil {
			return proxy.One2Many, nil, err
		}
		backends[i] = named{backend, target}
	}
	return proxy.One2Many, backends, nil
}

// backend answers calls for this machine itself: a connection to its own address would only cost time.
func (d *director) backend(target string) (proxy.Backend, error) {
	if d.isLocal(target) {
		return d.local, nil
	}
	if d.remote == nil {
		return nil, status.Error(codes.PermissionDenied, "this machine does not forward calls to other machines")
	}
	backend, err := d.remote(target)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return backend, nil
}

// isStreamed tells the proxy how to merge the answers of several machines.
func isStreamed(method string) bool {
	return slices.Contains(streamed, method[strings.LastIndexByte(method, '/')+1:])
}
