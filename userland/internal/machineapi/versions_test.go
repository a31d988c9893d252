// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"dodeka/userland/internal/access"
	"dodeka/userland/internal/events"
	"dodeka/userland/internal/osstate"
)

// fakeVersions does as a test says, and keeps what it was asked for.
type fakeVersions struct {
	err   error
	asked []string
}

func (f *fakeVersions) do(what string, progress func(string)) error {
	f.asked = append(f.asked, what)
	if progress != nil {
		progress("half")
	}
	return f.err
}

func (f *fakeVersions) Upgrade(_ context.Context, from VersionImage, progress func(string)) error {
	return f.do(fmt.Sprintf("upgrade %s %s %v", from.Namespace, from.Name, from.Fetch), progress)
}

func (f *fakeVersions) Install(_ context.Context, disk string, progress func(string)) error {
	return f.do("install "+disk, progress)
}

func (f *fakeVersions) Rollback(context.Context) error { return f.do("rollback", nil) }

// fakeSequences notes that a reboot was asked for.
type fakeSequences struct{ reboots int }

func (f *fakeSequences) Reboot(context.Context, string, machine.RebootRequest_Mode) error {
	f.reboots++
	return nil
}
func (f *fakeSequences) Shutdown(context.Context, string, bool) error               { return nil }
func (f *fakeSequences) Reset(context.Context, string, *machine.ResetRequest) error { return nil }

// connected serves parts to an administrator.
func connected(t *testing.T, parts Parts) *grpc.ClientConn {
	t.Helper()
	resources, err := osstate.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	parts.State, parts.Events = resources.State, events.NewStream(1)
	parts.Trust = func(uint32) access.Trust { return access.Administer }
	server := New(parts)
	listener, err := net.Listen("unix", t.TempDir()+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("unix://"+listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// words are what a stream of progress says.
func words(next func() (*machine.LifecycleServiceInstallProgress, error)) (said []string, code int32, err error) {
	for {
		p, err := next()
		if err != nil {
			return said, code, err
		}
		switch r := p.GetResponse().(type) {
		case *machine.LifecycleServiceInstallProgress_Message:
			said = append(said, r.Message)
		case *machine.LifecycleServiceInstallProgress_ExitCode:
			return said, r.ExitCode, nil
		}
	}
}

func TestTheEndOfAnUpgradeIsAnExitCode(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want []string
		code int32
	}{
		{nil, []string{"half"}, 0}, {errors.New("no room"), []string{"half", "failed: no room"}, 1},
	} {
		versions, sequences := &fakeVersions{err: tc.err}, &fakeSequences{}
		client := machine.NewLifecycleServiceClient(connected(t, Parts{Versions: versions, Sequences: sequences}))
		instance := &common.ContainerdInstance{Driver: common.ContainerDriver_CRI, Namespace: common.ContainerdNamespace_NS_SYSTEM}
		upgrade, err := client.Upgrade(t.Context(), &machine.LifecycleServiceUpgradeRequest{
			Containerd: instance, Source: &machine.InstallArtifactsSource{ImageName: "x:1"},
		})
		if err != nil {
			t.Fatal(err)
		}
		said, code, err := words(func() (*machine.LifecycleServiceInstallProgress, error) {
			r, err := upgrade.Recv()
			return r.GetProgress(), err
		})
		if !slices.Equal(said, tc.want) || code != tc.code || err != nil {
			t.Errorf("upgrade: %q, %d, %v", said, code, err)
		}
		install, err := client.Install(t.Context(), &machine.LifecycleServiceInstallRequest{Destination: &machine.InstallDestination{Disk: "/dev/sda"}})
		if err != nil {
			t.Fatal(err)
		}
		said, code, err = words(func() (*machine.LifecycleServiceInstallProgress, error) {
			r, err := install.Recv()
			return r.GetProgress(), err
		})
		if !slices.Equal(said, tc.want) || code != tc.code || err != nil {
			t.Errorf("install: %q, %d, %v", said, code, err)
		}
		if diff := cmp.Diff([]string{"upgrade system x:1 false", "install /dev/sda"}, versions.asked); diff != "" || sequences.reboots != 0 {
			t.Errorf("%s\n%d reboots", diff, sequences.reboots)
		}
	}
}

func TestTheOlderUpgradeFetchesAndReboots(t *testing.T) {
	versions, sequences := &fakeVersions{}, &fakeSequences{}
	client := machine.NewMachineServiceClient(connected(t, Parts{Versions: versions, Sequences: sequences}))
	//lint:ignore SA1019 clients call it on machines below 1.13
	answer, err := client.Upgrade(t.Context(), &machine.UpgradeRequest{Image: "x:1"})
	if err != nil || sequences.reboots != 1 || answer.GetMessages()[0].GetActorId() == "" {
		t.Errorf("%d reboots, %v, %v", sequences.reboots, answer, err)
	}
	versions.err = errors.New("no room")
	//lint:ignore SA1019 clients call it on machines below 1.13
	if _, err := client.Upgrade(t.Context(), &machine.UpgradeRequest{Image: "x:1"}); err == nil || sequences.reboots != 1 {
		t.Errorf("%d reboots, %v", sequences.reboots, err)
	}
	if want := []string{"upgrade system x:1 true", "upgrade system x:1 true"}; !slices.Equal(versions.asked, want) {
		t.Errorf("asked: %q", versions.asked)
	}
}

func TestRollbackReboots(t *testing.T) {
	versions, sequences := &fakeVersions{}, &fakeSequences{}
	client := machine.NewMachineServiceClient(connected(t, Parts{Versions: versions, Sequences: sequences}))
	if _, err := client.Rollback(t.Context(), &machine.RollbackRequest{}); err != nil || sequences.reboots != 1 {
		t.Errorf("%d reboots, %v", sequences.reboots, err)
	}
	versions.err = status.Error(codes.FailedPrecondition, "no other")
	if _, err := client.Rollback(t.Context(), &machine.RollbackRequest{}); status.Code(err) != codes.FailedPrecondition || sequences.reboots != 1 {
		t.Errorf("%d reboots, %v", sequences.reboots, err)
	}
}

func TestRequestsForVersionsAreRefused(t *testing.T) {
	bare, versions := connected(t, Parts{}), &fakeVersions{}
	able := connected(t, Parts{Versions: versions, Sequences: &fakeSequences{}})
	install := func(conn *grpc.ClientConn, r *machine.LifecycleServiceInstallRequest) error {
		stream, err := machine.NewLifecycleServiceClient(conn).Install(t.Context(), r)
		if err == nil {
			_, err = stream.Recv()
		}
		return err
	}
	upgrade := func(conn *grpc.ClientConn, image string) error {
		//lint:ignore SA1019 clients call it on machines below 1.13
		_, err := machine.NewMachineServiceClient(conn).Upgrade(t.Context(), &machine.UpgradeRequest{Image: image})
		return err
	}
	_, rollback := machine.NewMachineServiceClient(bare).Rollback(t.Context(), &machine.RollbackRequest{})
	brought := &machine.LifecycleServiceInstallRequest{
		Source: &machine.InstallArtifactsSource{ImageName: "x:1"}, Destination: &machine.InstallDestination{Disk: "/dev/sda"},
	}
	for what, tc := range map[string]struct {
		err  error
		want codes.Code
	}{
		"no versions":               {upgrade(bare, "x:1"), codes.FailedPrecondition},
		"no versions, rollback":     {rollback, codes.FailedPrecondition},
		"no versions, installation": {install(bare, &machine.LifecycleServiceInstallRequest{}), codes.FailedPrecondition},
		"no image":                  {upgrade(able, ""), codes.InvalidArgument},
		"no disk":                   {install(able, &machine.LifecycleServiceInstallRequest{}), codes.InvalidArgument},
		"an image to install":       {install(able, brought), codes.InvalidArgument},
	} {
		if status.Code(tc.err) != tc.want {
			t.Errorf("%s: %v", what, tc.err)
		}
	}
	if len(versions.asked) != 0 {
		t.Errorf("asked: %q", versions.asked)
	}
}
