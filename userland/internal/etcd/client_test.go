// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
)

// serving is a bench whose etcd answers.
func serving(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.put("etcd/member/wal", "data")
	b.begins()
	b.becomes("healthy", func() bool { return b.healthy(t.Context()) == nil })
	return b
}

func TestReadings(t *testing.T) {
	b := serving(t)
	status, err := b.Status(t.Context())
	want := &machine.EtcdMemberStatus{
		MemberId: 5, Leader: 1, ProtocolVersion: "3.7.3", StorageVersion: "3.7.0", DbSize: 10, DbSizeInUse: 9,
		RaftIndex: 8, RaftTerm: 7, RaftAppliedIndex: 6,
	}
	if diff := cmp.Diff(want, status, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	for local, name := range map[bool]string{true: "of this member", false: "of all"} {
		members, err := b.Members(t.Context(), local)
		want := []*machine.EtcdMember{{
			Id: 5, Hostname: name, PeerUrls: []string{"https://192.0.2.7:2380"}, ClientUrls: []string{"https://192.0.2.7:2379"}, IsLearner: true,
		}}
		if diff := cmp.Diff(want, members, protocmp.Transform()); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
	}
	if err := b.Defragment(t.Context()); err != nil || !b.server.defragged {
		t.Error(err)
	}
}

func TestAlarms(t *testing.T) {
	for number, name := range pb.AlarmType_name {
		if machine.EtcdMemberAlarm_AlarmType_name[number] != name {
			t.Errorf("alarm %d is %s", number, name)
		}
	}
	b := serving(t)
	b.server.alarms = []*pb.AlarmMember{{MemberID: 5, Alarm: pb.AlarmType_NOSPACE}, {MemberID: 6, Alarm: pb.AlarmType_CORRUPT}}
	want := []*machine.EtcdMemberAlarm{{MemberId: 5, Alarm: machine.EtcdMemberAlarm_NOSPACE}, {MemberId: 6, Alarm: machine.EtcdMemberAlarm_CORRUPT}}
	for _, list := range []func(context.Context) ([]*machine.EtcdMemberAlarm, error){b.Alarms, b.Disarm} {
		got, err := list(t.Context())
		if diff := cmp.Diff(want, got, protocmp.Transform()); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
	}
	if len(b.server.alarms) > 0 {
		t.Errorf("still raised: %v", b.server.alarms)
	}
}

func TestSnapshotIsSentAsItComes(t *testing.T) {
	b := serving(t)
	b.server.parts = [][]byte{[]byte("database"), []byte("checksum")}
	var got []string
	err := b.Snapshot(t.Context(), func(part []byte) error { got = append(got, string(part)); return nil })
	if diff := cmp.Diff([]string{"database", "checksum"}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func TestSnapshotEndsWithItsReader(t *testing.T) {
	b := serving(t)
	b.server.parts, b.server.endless = [][]byte{make([]byte, 32<<10)}, true
	gone := errors.New("the reader is gone")
	if err := b.Snapshot(t.Context(), func([]byte) error { return gone }); !errors.Is(err, gone) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := b.Snapshot(ctx, func([]byte) error { cancel(); return nil }); status.Code(err) != codes.Canceled {
		t.Error(err)
	}
}

func TestNothingIsAskedOfAnEtcdThatDoesNotRun(t *testing.T) {
	b := newBench(t)
	for name, ask := range map[string]func() error{
		"members":  func() error { _, err := b.Members(t.Context(), true); return err },
		"status":   func() error { _, err := b.Status(t.Context()); return err },
		"alarms":   func() error { _, err := b.Alarms(t.Context()); return err },
		"disarm":   func() error { _, err := b.Disarm(t.Context()); return err },
		"defrag":   func() error { return b.Defragment(t.Context()) },
		"snapshot": func() error { return b.Snapshot(t.Context(), nil) },
	} {
		if err := ask(); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("%s: %v", name, err)
		}
	}
}
