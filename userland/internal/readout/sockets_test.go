// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
)

const (
	socketHeader = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	listening    = "   0: 00000000:C350 00000000:0000 0A 00000000:00000000 00:00000000 00000000    50        0 900 1 0000000000000000 100 0 0 10 0\n"
	connected    = "   1: 0100007F:C350 0200007F:8001 01 00000001:00000002 02:00000A00 00000003     0        4 901 1 0000000000000000 20 4 30 10 -1\n"
	six          = "   0: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 902 1 0\n"
)

func socketRoot(t *testing.T) Root {
	return fakeProc(t, map[string]string{
		"net/tcp":  socketHeader + listening + connected + "   2: nonsense\n   3: 00:1 00:2 zz 0 0 0 0 0 0 0 0\n",
		"net/tcp6": socketHeader + six,
		"20/fd/3":  "-> socket:[900]", "20/comm": "apid\n", "20/fd/4": "-> /dev/null", "20/fd/5": "-> socket:[x]",
		"30/fd/3": "-> socket:[900]", "30/comm": "child\n",
	})
}

func TestNetstat(t *testing.T) {
	listener := &machine.ConnectRecord{
		L4Proto: "tcp", Localip: "0.0.0.0", Localport: 50000, Remoteip: "0.0.0.0", State: machine.ConnectRecord_LISTEN,
		Uid: 50, Inode: 900, Ref: 1, Process: &machine.ConnectRecord_Process{},
	}
	peer := &machine.ConnectRecord{
		L4Proto: "tcp", Localip: "127.0.0.1", Localport: 50000, Remoteip: "127.0.0.2", Remoteport: 32769,
		State: machine.ConnectRecord_ESTABLISHED, Txqueue: 1, Rxqueue: 2, Tr: machine.ConnectRecord_KEEPALIVE, Timerwhen: 2560,
		Retrnsmt: 3, Timeout: 4, Inode: 901, Ref: 1, Process: &machine.ConnectRecord_Process{},
	}
	web := &machine.ConnectRecord{
		L4Proto: "tcp6", Localip: "::1", Localport: 80, Remoteip: "::", State: machine.ConnectRecord_LISTEN,
		Inode: 902, Ref: 1, Process: &machine.ConnectRecord_Process{},
	}
	all := &machine.NetstatRequest_L4Proto{Tcp: true, Tcp6: true, Udp: true}
	cases := []struct {
		name    string
		request *machine.NetstatRequest
		want    []*machine.ConnectRecord
	}{
		{"all", &machine.NetstatRequest{L4Proto: all}, []*machine.ConnectRecord{listener, peer, web}},
		{"listening", &machine.NetstatRequest{L4Proto: all, Filter: machine.NetstatRequest_LISTENING}, []*machine.ConnectRecord{listener, web}},
		{"connected", &machine.NetstatRequest{L4Proto: all, Filter: machine.NetstatRequest_CONNECTED}, []*machine.ConnectRecord{peer}},
		{"no protocol", &machine.NetstatRequest{}, nil},
		{"not the host", &machine.NetstatRequest{L4Proto: all, Netns: &machine.NetstatRequest_NetNS{Allnetns: true}}, nil},
	}
	root := socketRoot(t)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := Netstat(context.Background(), root, c.request)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got.GetMessages()[0].GetConnectrecord(), protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNetstatNamesTheHolder(t *testing.T) {
	request := &machine.NetstatRequest{
		L4Proto: &machine.NetstatRequest_L4Proto{Tcp: true},
		Feature: &machine.NetstatRequest_Feature{Pid: true},
		Netns:   &machine.NetstatRequest_NetNS{Hostnetwork: true},
	}
	got, err := Netstat(context.Background(), socketRoot(t), request)
	if err != nil {
		t.Fatal(err)
	}
	var holders []string
	for _, record := range got.GetMessages()[0].GetConnectrecord() {
		holders = append(holders, record.GetProcess().GetName())
	}
	if diff := cmp.Diff([]string{"apid", ""}, holders); diff != "" {
		t.Error(diff)
	}
}

func TestNetstatRefuses(t *testing.T) {
	cases := []struct {
		name    string
		request *machine.NetstatRequest
		want    codes.Code
	}{
		{"an unknown filter", &machine.NetstatRequest{Filter: 7}, codes.InvalidArgument},
		{"another namespace", &machine.NetstatRequest{Netns: &machine.NetstatRequest_NetNS{Netns: []string{"../../1"}}}, codes.Unimplemented},
	}
	for _, c := range cases {
		if _, err := Netstat(context.Background(), socketRoot(t), c.request); status.Code(err) != c.want {
			t.Errorf("%s: found %v, expected %v", c.name, err, c.want)
		}
	}
}

func FuzzParseSocket(f *testing.F) {
	f.Add(listening)
	f.Add(six)
	f.Fuzz(func(t *testing.T, line string) {
		record, err := parseSocket("tcp", line)
		if err == nil && record.GetLocalip() == "" {
			t.Error("no address")
		}
	})
}

func TestMounts(t *testing.T) {
	files := makeTree(t, map[string]string{"var/": "", "with space/": "", "etc/hosts": "x", "net/": "", "up": "-> ../../../.."})
	root := Root{FS: files, Proc: makeTree(t, map[string]string{
		"mounts": "/dev/vda5 /var ext4 rw 0 0\ntmpfs /with\\040space tmpfs rw 0 0\nbind /etc/hosts ext4 rw 0 0\n" +
			"server:/x /net nfs4 rw 0 0\nnone /gone tmpfs rw 0 0\nshort\n",
	})}
	got, err := Mounts(root)
	if err != nil {
		t.Fatal(err)
	}
	type mount struct {
		From, On string
		HasSize  bool
	}
	var mounts []mount
	for _, stat := range got.GetMessages()[0].GetStats() {
		mounts = append(mounts, mount{stat.GetFilesystem(), stat.GetMountedOn(), stat.GetSize() > 0 && stat.GetAvailable() <= stat.GetSize()})
	}
	want := []mount{
		{"/dev/vda5", "/var", true}, {"tmpfs", "/with space", true}, {"bind", "/etc/hosts", false},
		{"server:/x", "/net", false}, {"none", "/gone", false},
	}
	if diff := cmp.Diff(want, mounts); diff != "" {
		t.Error(diff)
	}
}

func TestUnescapeOctal(t *testing.T) {
	for in, want := range map[string]string{
		`a\040b\134c`: `a b\c`, `\04`: `\04`, `\999`: `\999`, `\777`: `\777`, `\`: `\`, "": "",
	} {
		if got := unescapeOctal(in); got != want {
			t.Errorf("%q: found %q, expected %q", in, got, want)
		}
	}
}
