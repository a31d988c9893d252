// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// fakeDatabase notes what it is asked, and fails where a test says so.
type fakeDatabase struct {
	asked []string
	fails error
}

func (f *fakeDatabase) note(what string) error {
	f.asked = append(f.asked, what)
	return f.fails
}

func (f *fakeDatabase) Bootstrap(_ context.Context, fromSnapshot, skip bool) error {
	if fromSnapshot && skip {
		return f.note("bootstrap from an unchecked snapshot")
	}
	return f.note("bootstrap")
}

func (f *fakeDatabase) Recover(next func() ([]byte, error)) error {
	var all strings.Builder
	for {
		part, err := next()
		if errors.Is(err, io.EOF) {
			return f.note("recover " + all.String())
		}
		if err != nil {
			return err
		}
		all.Write(part)
	}
}

func (f *fakeDatabase) Snapshot(_ context.Context, send func([]byte) error) error {
	return errors.Join(f.note("snapshot"), send([]byte("data")), send([]byte("base")))
}

func (f *fakeDatabase) Members(_ context.Context, local bool) ([]*machine.EtcdMember, error) {
	return []*machine.EtcdMember{{Id: 1, Hostname: "a"}, {Id: 2, Hostname: "b"}}, f.note("members")
}

func (f *fakeDatabase) Status(context.Context) (*machine.EtcdMemberStatus, error) {
	return &machine.EtcdMemberStatus{MemberId: 1}, f.note("status")
}

func (f *fakeDatabase) Alarms(context.Context) ([]*machine.EtcdMemberAlarm, error) {
	return []*machine.EtcdMemberAlarm{{MemberId: 1}}, f.note("alarms")
}

func (f *fakeDatabase) Disarm(context.Context) ([]*machine.EtcdMemberAlarm, error) {
	return []*machine.EtcdMemberAlarm{{MemberId: 1}}, f.note("disarm")
}

func (f *fakeDatabase) Defragment(context.Context) error { return f.note("defragment") }

// upload is a client that sends text in parts of one byte.
type upload struct {
	grpc.ClientStreamingServer[common.Data, machine.EtcdRecoverResponse]
	rest     string
	answered bool
}

func (u *upload) Recv() (*common.Data, error) {
	if u.rest == "" {
		return nil, io.EOF
	}
	part := u.rest[:1]
	u.rest = u.rest[1:]
	return &common.Data{Bytes: []byte(part)}, nil
}

func (u *upload) SendAndClose(*machine.EtcdRecoverResponse) error {
	u.answered = true
	return nil
}

// download is a client that reads all.
type download struct {
	grpc.ServerStreamingServer[common.Data]
	ctx context.Context
	got strings.Builder
}

func (d *download) Context() context.Context { return d.ctx }

func (d *download) Send(part *common.Data) error {
	_, err := d.got.Write(part.Bytes)
	return err
}

// askEverything calls each method of etcd once.
func askEverything(ctx context.Context, a *api) (failures []error) {
	for _, ask := range []func() error{
		func() error { _, err := a.Bootstrap(ctx, &machine.BootstrapRequest{}); return err },
		func() error { return a.EtcdRecover(&upload{rest: "abc"}) },
		func() error {
			_, err := a.Bootstrap(ctx, &machine.BootstrapRequest{RecoverEtcd: true, RecoverSkipHashCheck: true})
			return err
		},
		func() error { return a.EtcdSnapshot(nil, &download{ctx: ctx}) },
		func() error { _, err := a.EtcdMemberList(ctx, &machine.EtcdMemberListRequest{}); return err },
		func() error { _, err := a.EtcdStatus(ctx, &emptypb.Empty{}); return err },
		func() error { _, err := a.EtcdAlarmList(ctx, &emptypb.Empty{}); return err },
		func() error { _, err := a.EtcdAlarmDisarm(ctx, &emptypb.Empty{}); return err },
		func() error { _, err := a.EtcdDefragment(ctx, &emptypb.Empty{}); return err },
	} {
		failures = append(failures, ask())
	}
	return failures
}

func TestEtcdIsAskedForWhatTheClientAsks(t *testing.T) {
	f := &fakeDatabase{}
	a := &api{p: Parts{Etcd: func() (Etcd, error) { return f, nil }}}
	if err := errors.Join(askEverything(t.Context(), a)...); err != nil {
		t.Error(err)
	}
	want := []string{"bootstrap", "recover abc", "bootstrap from an unchecked snapshot", "snapshot", "members", "status", "alarms", "disarm", "defragment"}
	if diff := cmp.Diff(want, f.asked); diff != "" {
		t.Error(diff)
	}
}

func TestEtcdThatIsNotThereIsRefused(t *testing.T) {
	worker := status.Error(codes.FailedPrecondition, "this is a worker")
	for name, part := range map[string]func() (Etcd, error){
		"on a worker": func() (Etcd, error) { return nil, worker }, "on a development host": nil,
	} {
		for i, err := range askEverything(t.Context(), &api{p: Parts{Etcd: part}}) {
			if status.Code(err) != codes.FailedPrecondition {
				t.Errorf("%s, call %d: %v", name, i, err)
			}
		}
	}
}

func TestEtcdAnswers(t *testing.T) {
	f := &fakeDatabase{}
	a := &api{p: Parts{Etcd: func() (Etcd, error) { return f, nil }}}
	reader := &download{ctx: t.Context()}
	if err := a.EtcdSnapshot(nil, reader); err != nil || reader.got.String() != "database" {
		t.Errorf("%q %v", reader.got.String(), err)
	}
	members, err := a.EtcdMemberList(t.Context(), &machine.EtcdMemberListRequest{})
	if diff := cmp.Diff([]string{"a", "b"}, members.GetMessages()[0].GetLegacyMembers()); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	f.fails = status.Error(codes.ResourceExhausted, "too large")
	client := &upload{rest: "abc"}
	if err := a.EtcdRecover(client); status.Code(err) != codes.ResourceExhausted || client.answered {
		t.Errorf("answered %v, %v", client.answered, err)
	}
}
