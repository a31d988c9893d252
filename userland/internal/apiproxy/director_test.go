// SPDX-License-Identifier: Apache-2.0

package apiproxy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/siderolabs/grpc-proxy/proxy"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/api/resource/definitions/network"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
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
	methods := machine.File_machine_machine_proto.Services().ByName("MachineService").Methods()
	for i := range methods.Len() {
		m := methods.Get(i)
		if name := "/machine.MachineService/" + string(m.Name()); isStreamed(name) != m.IsStreamingServer() {
			t.Errorf("%s: streamed %v", name, m.IsStreamingServer())
		}
	}
}

func TestLimit(t *testing.T) {
	l := &limited{each: map[netip.Addr]int{}, most: 3, mostA: 2}
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	for i, step := range []struct {
		from netip.Addr
		want bool
	}{{a, true}, {a, true}, {a, false}, {b, true}, {b, false}} {
		if got := l.take(step.from); got != step.want {
			t.Errorf("connection %d: got %t", i, got)
		}
	}
	l.giveBack(a)
	if !l.take(b) {
		t.Error("a place that was given back stays taken")
	}
}

type conn struct {
	net.Conn
	from net.Addr
}

func (c conn) RemoteAddr() net.Addr { return c.from }

func TestAddressOf(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.1:5": "10.0.0.1", "[::ffff:10.0.0.1]:5": "10.0.0.1", "[2001:db8::1]:5": "2001:db8::", "[fe80::1%eth0]:5": "fe80::",
	} {
		at, err := netip.ParseAddrPort(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := addressOf(conn{from: net.TCPAddrFromAddrPort(at)}); got.String() != want {
			t.Errorf("%s: got %s", text, got)
		}
	}
}
