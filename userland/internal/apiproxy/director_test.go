// SPDX-License-Identifier: Apache-2.0

package apiproxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/siderolabs/grpc-proxy/proxy"
	"github.com/siderolabs/talos/pkg/machinery/api/cluster"
	"github.com/siderolabs/talos/pkg/machinery/api/inspect"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/api/resource/definitions/network"
	"github.com/siderolabs/talos/pkg/machinery/api/storage"
	timeapi "github.com/siderolabs/talos/pkg/machinery/api/time"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const version, getResource = "/machine.MachineService/Version", "/cosi.resource.State/Get"

func testDirector(remote bool) *director {
	names := &addresses{}
	names.setName(&network.HostnameStatusSpec{Hostname: "node", Domainname: "example"})
	d := &director{local: &plainBackend{name: "local"}, isLocal: names.has, routing: true}
	if remote {
		d.remote = func(target string) (proxy.Backend, error) { return &plainBackend{name: target}, checkTarget(target) }
	}
	return d
}

func TestDirect(t *testing.T) {
	many := make([]string, maxNodes+1)
	for i := range many {
		many[i] = "10.0.0.1"
	}
	tests := []struct {
		name   string
		remote bool
		method string
		md     metadata.MD
		mode   proxy.Mode
		want   []string
		code   codes.Code
	}{
		{"nobody named", true, version, nil, proxy.One2One, []string{"local"}, codes.OK},
		{"one other", true, version, metadata.Pairs("node", "10.0.0.2"), proxy.One2One, []string{"10.0.0.2"}, codes.OK},
		{"itself", true, version, metadata.Pairs("node", "node.example"), proxy.One2One, []string{"local"}, codes.OK},
		{"several", true, version, metadata.MD{"nodes": {"127.0.0.1", "10.0.0.2"}}, proxy.One2Many, []string{"127.0.0.1", "10.0.0.2"}, codes.OK},
		{"several for a plain answer", true, getResource, metadata.MD{"nodes": {"node"}}, proxy.One2One, nil, codes.InvalidArgument},
		{"two in node", true, version, metadata.MD{"node": {"a", "b"}}, proxy.One2One, nil, codes.InvalidArgument},
		{"forwarded already", true, version, metadata.Pairs("node", "10.0.0.2", "proxyfrom", "x"), proxy.One2One, []string{"local"}, codes.OK},
		{"no forwarding", false, version, metadata.Pairs("node", "10.0.0.2"), proxy.One2One, nil, codes.PermissionDenied},
		{"no forwarding, itself", false, version, metadata.MD{"nodes": {"node"}}, proxy.One2Many, []string{"node"}, codes.OK},
		{"a port", true, version, metadata.Pairs("node", "10.0.0.2:22"), proxy.One2One, nil, codes.InvalidArgument},
		{"a path", true, version, metadata.Pairs("node", "unix:/run/x"), proxy.One2One, nil, codes.InvalidArgument},
		{"too many", true, version, metadata.MD{"nodes": many}, proxy.One2One, nil, codes.InvalidArgument},
	}
	for _, tc := range tests {
		ctx := metadata.NewIncomingContext(context.Background(), tc.md)
		mode, backends, err := testDirector(tc.remote).direct(ctx, tc.method)
		var names []string
		for _, b := range backends {
			if err == nil {
				names = append(names, b.String())
			}
		}
		if status.Code(err) != tc.code || !slices.Equal(names, tc.want) || (err == nil && mode != tc.mode) {
			t.Errorf("%s: got mode %v, %q, %v", tc.name, mode, names, err)
		}
	}
}

func TestACallNeverClosesItsOwnConnections(t *testing.T) {
	r := newRemotes(func() (*tls.Config, error) { return &tls.Config{}, nil })
	defer r.close()
	for round := range 3 {
		var got []*plainBackend
		for i := range maxNodes {
			b, err := r.get(fmt.Sprintf("10.%d.%d.%d", round, i>>8, i&255))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, b.(*plainBackend))
		}
		for _, b := range got {
			if b.conn.GetState() == connectivity.Shutdown {
				t.Fatalf("round %d: the connection to %s is closed", round, b)
			}
		}
	}
	if len(r.known) > maxRemotes {
		t.Errorf("%d connections are kept", len(r.known))
	}
}

func TestAnswersNameTheirMachine(t *testing.T) {
	n := named{&plainBackend{}, "10.0.0.2"}
	answer, err := proto.Marshal(&machine.VersionResponse{Messages: []*machine.Version{{Platform: &machine.PlatformInfo{Name: "metal"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if answer, err = n.AppendInfo(false, answer); err != nil {
		t.Fatal(err)
	}
	failed, err := n.BuildError(false, status.Error(codes.Unavailable, "away"))
	if err != nil {
		t.Fatal(err)
	}
	got := &machine.VersionResponse{}
	if err := proto.Unmarshal(append(answer, failed...), got); err != nil {
		t.Fatal(err)
	}
	first, second := got.Messages[0], got.Messages[1]
	if first.Metadata.Hostname != "10.0.0.2" || first.Platform.Name != "metal" || first.Metadata.Error != "" {
		t.Errorf("answer %v", first)
	}
	if second.Metadata.Hostname != "10.0.0.2" || second.Metadata.Status.GetCode() != int32(codes.Unavailable) {
		t.Errorf("error %v", second)
	}
}

func TestStreamedAnswersNameTheirMachine(t *testing.T) {
	n := named{&plainBackend{}, "10.0.0.2"}
	item, _ := proto.Marshal(&machine.FileInfo{Name: "x"})
	item, err := n.AppendInfo(true, item)
	got := &machine.FileInfo{}
	if err = errors.Join(err, proto.Unmarshal(item, got)); err != nil || got.Metadata.Hostname != "10.0.0.2" || got.Name != "x" {
		t.Errorf("got %v (%v)", got, err)
	}
}

// FuzzAppendInfo reads answers of machines that may run anything.
func FuzzAppendInfo(f *testing.F) {
	answer, _ := proto.Marshal(&machine.VersionResponse{Messages: []*machine.Version{{}}})
	f.Add(answer)
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, answer []byte) {
		n := named{&plainBackend{}, "node"}
		if out, err := n.AppendInfo(false, answer); err == nil && len(out) < len(answer) {
			t.Errorf("%x became shorter: %x", answer, out)
		}
	})
}

func TestEveryStreamIsKnown(t *testing.T) {
	var names []string
	for _, file := range []protoreflect.FileDescriptor{
		machine.File_machine_machine_proto, cluster.File_cluster_cluster_proto, inspect.File_inspect_inspect_proto,
		storage.File_storage_storage_proto, timeapi.File_time_time_proto,
	} {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			prefix := "/" + string(service.FullName()) + "/"
			if !slices.Contains(aggregated, prefix) {
				continue
			}
			names = append(names, prefix)
			for k := range service.Methods().Len() {
				m := service.Methods().Get(k)
				if name := prefix + string(m.Name()); isStreamed(name) != m.IsStreamingServer() {
					t.Errorf("%s: streamed %v", name, m.IsStreamingServer())
				}
			}
		}
	}
	if len(names) != len(aggregated) {
		t.Errorf("of %q only %q are there", aggregated, names)
	}
}
