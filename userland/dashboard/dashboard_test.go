// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cosi-project/runtime/api/v1alpha1"
	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/impl/inmem"
	"github.com/cosi-project/runtime/pkg/state/impl/namespaced"
	"github.com/cosi-project/runtime/pkg/state/protobuf/server"
	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/nethelpers"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"

	"dodeka/userland/internal/dashboardview"
)

const patience = 3 * time.Minute

// api is a machine that answers as PID 1 does.
type api struct {
	machine.UnimplementedMachineServiceServer
	version string
	state   state.State
}

func (a *api) Version(context.Context, *emptypb.Empty) (*machine.VersionResponse, error) {
	return &machine.VersionResponse{Messages: []*machine.Version{{
		Version: &machine.VersionInfo{Tag: a.version, Arch: "amd64"}, Platform: &machine.PlatformInfo{Name: "metal"},
	}}}, nil
}

func (a *api) Memory(context.Context, *emptypb.Empty) (*machine.MemoryResponse, error) {
	return &machine.MemoryResponse{Messages: []*machine.Memory{{Meminfo: &machine.MemInfo{Memtotal: 2 << 20, Memavailable: 1 << 20}}}}, nil
}

func (a *api) ServiceList(context.Context, *emptypb.Empty) (*machine.ServiceListResponse, error) {
	return &machine.ServiceListResponse{Messages: []*machine.ServiceList{{Services: []*machine.ServiceInfo{
		{Id: "apid", State: "Running", Health: &machine.ServiceHealth{Healthy: true}},
		{Id: "trustd", State: "Waiting", Health: &machine.ServiceHealth{Unknown: true}},
	}}}}, nil
}

func (a *api) Events(_ *machine.EventsRequest, stream grpc.ServerStreamingServer[machine.Event]) error {
	for _, m := range []proto.Message{nil, &machine.PhaseEvent{Phase: "ready"}, &machine.PhaseEvent{Phase: "ready", Action: machine.PhaseEvent_STOP}} {
		data := &anypb.Any{}
		if m != nil {
			value, _ := proto.Marshal(m)
			data = &anypb.Any{TypeUrl: "talos/runtime/" + string(m.ProtoReflect().Descriptor().FullName()), Value: value}
		}
		if err := stream.Send(&machine.Event{Data: data}); err != nil {
			return err
		}
	}
	<-stream.Context().Done()
	return nil
}

func (a *api) Dmesg(_ *machine.DmesgRequest, stream grpc.ServerStreamingServer[common.Data]) error {
	for _, part := range []string{"kern:  info: [2026-01-01T00:00:00Z]: usb 1-1: new", " device\nuser: debug: [x]: dodeka: status link=eth0\n"} {
		if err := stream.Send(&common.Data{Bytes: []byte(part)}); err != nil {
			return err
		}
	}
	<-stream.Context().Done()
	return nil
}

func (a *api) Logs(r *machine.LogsRequest, stream grpc.ServerStreamingServer[common.Data]) error {
	_ = stream.Send(&common.Data{Bytes: []byte("hello from " + r.Id + "\n")})
	<-stream.Context().Done()
	return nil
}

func (a *api) serve(t *testing.T, socket string) (stop func()) {
	t.Helper()
	os.Remove(socket)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	machine.RegisterMachineServiceServer(s, a)
	v1alpha1.RegisterStateServer(s, server.NewState(a.state))
	go s.Serve(listener)
	return s.Stop
}

func newAPI(t *testing.T, version string) *api {
	t.Helper()
	a := &api{version: version, state: state.WrapCore(namespaced.NewState(inmem.Build))}
	name := network.NewHostnameStatus(network.NamespaceName, network.HostnameID)
	name.TypedSpec().Hostname = "node-" + version
	link := network.NewLinkStatus(network.NamespaceName, "eth0")
	link.TypedSpec().Type, link.TypedSpec().OperationalState = nethelpers.LinkEther, nethelpers.OperStateUp
	pod := network.NewLinkStatus(network.NamespaceName, "veth1")
	pod.TypedSpec().Type, pod.TypedSpec().Kind = nethelpers.LinkEther, "veth"
	six := network.NewAddressStatus(network.NamespaceName, "eth0/6")
	six.TypedSpec().Address, six.TypedSpec().LinkName = netip.MustParsePrefix("2001:db8::1/64"), "eth0"
	four := network.NewAddressStatus(network.NamespaceName, "eth0/9")
	four.TypedSpec().Address, four.TypedSpec().LinkName = netip.MustParsePrefix("10.0.0.2/24"), "eth0"
	local := network.NewAddressStatus(network.NamespaceName, "eth0/fe80")
	local.TypedSpec().Address, local.TypedSpec().LinkName = netip.MustParsePrefix("fe80::1/64"), "eth0"
	route := network.NewRouteStatus(network.NamespaceName, "default")
	route.TypedSpec().Gateway, route.TypedSpec().OutLinkName = netip.MustParseAddr("10.0.0.1"), "eth0"
	status := runtime.NewMachineStatus()
	status.TypedSpec().Stage, status.TypedSpec().Status.Ready = runtime.MachineStageRunning, true
	for _, r := range []resource.Resource{name, link, pod, six, four, local, route, status} {
		if err := a.state.Create(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// tap is an output that keeps the last view.
type tap struct {
	mu   sync.Mutex
	view dashboardview.View
}

func (o *tap) show(v dashboardview.View, _ time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.view = v
}

func (o *tap) await(t *testing.T, what string, done func(dashboardview.View) bool) dashboardview.View {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		o.mu.Lock()
		v := o.view
		o.mu.Unlock()
		if done(v) {
			return v
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: got %+v", what, v)
		}
	}
}

func complete(v dashboardview.View) bool {
	return v.Version != "" && v.Phase != "" && v.Stage != "" && len(v.Links) == 1 && len(v.Links[0].Addresses) == 2 &&
		len(v.Links[0].Gateways) == 1 && len(v.Services) == 2 && v.MemoryTotal != 0 && len(v.Log) >= 3
}

func TestDashboardFollowsTheAPIAndItsRestart(t *testing.T) {
	dir := t.TempDir()
	socket, code := filepath.Join(dir, "s"), filepath.Join(dir, "code")
	m, out := newModel(), &tap{}
	s, conn, err := connect(socket, code, m)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	wait.Go(func() { s.run(ctx) })
	wait.Go(func() { present(ctx, m, []output{out}) })
	out.await(t, "no API", func(v dashboardview.View) bool { return v.Problem != "" })

	stop := newAPI(t, "1.0").serve(t, socket)
	v := out.await(t, "first API", complete)
	link := v.Links[0]
	got := fmt.Sprintln(v.Version, v.Platform, v.Arch, v.Hostname, v.Stage, v.Ready, v.Phase, v.MemoryUsed>>20, v.Problem, link.Name,
		link.Addresses, link.Gateways, v.Services)
	want := "1.0 metal amd64 node-1.0 running true ready 1024  eth0 [10.0.0.2/24 2001:db8::1/64] [10.0.0.1] [{apid Running healthy} {trustd Waiting }]\n"
	if got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	log := strings.Join(v.Log, "\n")
	for _, line := range []string{"usb 1-1: new device", "apid: hello from apid", "trustd: hello from trustd"} {
		if !strings.Contains(log, line) {
			t.Errorf("log lacks %q: %q", line, log)
		}
	}
	if strings.Contains(log, "status link") {
		t.Errorf("log repeats the status: %q", log)
	}
	if err := dashboardview.WriteCode(code, "ABCD-1234", os.Getgid()); err != nil {
		t.Fatal(err)
	}
	out.await(t, "code", func(v dashboardview.View) bool { return v.Code == "ABCD-1234" })
	stop()
	if err := dashboardview.WriteCode(code, "", 0); err != nil {
		t.Fatal(err)
	}
	defer newAPI(t, "2.0").serve(t, socket)()
	out.await(t, "second API", func(v dashboardview.View) bool {
		return v.Version == "2.0" && v.Hostname == "node-2.0" && v.Code == "" && v.Problem == ""
	})
}

func TestConsoles(t *testing.T) {
	dir := t.TempDir()
	screen, lines := filepath.Join(dir, "screen"), filepath.Join(dir, "lines")
	for _, path := range []string{screen, lines} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	drawn, err := open(screen)
	if err != nil {
		t.Fatal(err)
	}
	inherited, err := os.OpenFile(lines, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	written, err := open(fmt.Sprintf("fd:%d", inherited.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	v := dashboardview.View{Name: "Dodeka", Version: "1.0", Hostname: "node"}
	now := time.Unix(1e9, 0)
	a, b := &screenOutput{file: drawn}, &lineOutput{file: written}
	for _, step := range []time.Duration{0, 0, lineGap, lineGap} {
		now = now.Add(step)
		a.show(v, now)
		b.show(v, now)
		v.Phase += "x" // changes that come too soon are told later, once
	}
	text, _ := os.ReadFile(lines)
	want := "dodeka: status version=1.0 platform= host=node\ndodeka: status stage= ready=false phase=\n" +
		"dodeka: status stage= ready=false phase=xx\ndodeka: status stage= ready=false phase=xxx\n"
	if string(text) != want {
		t.Errorf("lines %q", text)
	}
	picture, _ := os.ReadFile(screen)
	if n := len(picture); n == 0 || n > 2300 || strings.Count(string(picture), "\x1b[2J") != 1 {
		t.Errorf("drew %d bytes", n)
	}
	for _, name := range []string{"fd:0", "fd:x", "fd:-1", filepath.Join(dir, "none")} {
		if _, err := open(name); err == nil {
			t.Errorf("%s was opened", name)
		}
	}
	if err := run(context.Background(), "", nil, consoles{"/nonexistent"}); err == nil || !strings.Contains(err.Error(), "no console") {
		t.Errorf("got %v", err)
	}
}

func TestKernelText(t *testing.T) {
	for line, want := range map[string]string{
		"kern:  info: [2026-01-01T00:00:00Z]: a [b]: c": "a [b]: c", "plain": "plain", "x: [y]: dodeka: status z": "", "": "",
	} {
		if got := kernelText(line); got != want {
			t.Errorf("%q: got %q", line, got)
		}
	}
}

func TestReadCode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "code")
	for text, want := range map[string]string{"ABCD-1234\n": "ABCD-1234", "": "", strings.Repeat("x", maxCode+1): ""} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := readCode(path); got != want {
			t.Errorf("%q: got %q", text, got)
		}
	}
	if err := dashboardview.WriteCode(path, "NEW", os.Getgid()); err != nil || readCode(path) != "NEW" {
		t.Error(err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v", info.Mode())
	}
	for range 2 {
		if err := dashboardview.WriteCode(path, "", 0); err != nil || readCode(path) != "" {
			t.Error(err)
		}
	}
}
