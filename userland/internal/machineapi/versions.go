// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dodeka/userland/internal/containerd"
)

var errNoVersions = status.Error(codes.FailedPrecondition, "this machine cannot take another version of its system")

// Upgrade implements machine.MachineServiceServer: it fetches an image, puts its version beside the running one, and
// reboots into it. It answers when the reboot has begun; when something goes wrong before, the running version stays. Stage is no other way:
// whatever is staged is tried by a reboot. Preserve and force have no meaning, as nothing is ever lost.
func (a *api) Upgrade(ctx context.Context, r *machine.UpgradeRequest) (*machine.UpgradeResponse, error) {
	if a.p.Versions == nil {
		return nil, errNoVersions
	}
	if r.GetImage() == "" {
		return nil, status.Error(codes.InvalidArgument, "image: expected the whole name of an image, such as registry.example.org/dodeka:1.0")
	}
	from := VersionImage{Namespace: containerd.System, Name: r.GetImage(), Fetch: true}
	if err := a.p.Versions.Upgrade(ctx, from, func(string) {}); err != nil {
		return nil, err
	}
	actor, err := a.begin(func(actor string) error {
		return a.p.Sequences.Reboot(context.WithoutCancel(ctx), actor, machine.RebootRequest_DEFAULT)
	})
	return &machine.UpgradeResponse{Messages: []*machine.Upgrade{{Ack: "the machine reboots into the version", ActorId: actor}}}, err
}

// Rollback implements machine.MachineServiceServer: the version before boots again.
func (a *api) Rollback(ctx context.Context, _ *machine.RollbackRequest) (*machine.RollbackResponse, error) {
	if a.p.Versions == nil {
		return nil, errNoVersions
	}
	if err := a.p.Versions.Rollback(ctx); err != nil {
		return nil, err
	}
	_, err := a.begin(func(actor string) error {
		return a.p.Sequences.Reboot(context.WithoutCancel(ctx), actor, machine.RebootRequest_DEFAULT)
	})
	return &machine.RollbackResponse{Messages: []*machine.Rollback{{}}}, err
}

// lifecycleAPI implements machine.LifecycleServiceServer. Its methods report progress, and how they ended as an exit code;
// neither reboots.
type lifecycleAPI struct {
	machine.UnimplementedLifecycleServiceServer
	p Parts
}

// Upgrade implements machine.LifecycleServiceServer. The image was fetched before.
func (a lifecycleAPI) Upgrade(r *machine.LifecycleServiceUpgradeRequest, stream grpc.ServerStreamingServer[machine.LifecycleServiceUpgradeResponse]) error {
	if a.p.Versions == nil {
		return errNoVersions
	}
	namespace, err := namespaceOf(r.GetContainerd())
	if err != nil {
		return err
	}
	from := VersionImage{Namespace: namespace, Name: r.GetSource().GetImageName()}
	return tellProgress(func(p *machine.LifecycleServiceInstallProgress) error {
		return stream.Send(&machine.LifecycleServiceUpgradeResponse{Progress: p})
	}, func(progress func(string)) error {
		return a.p.Versions.Upgrade(stream.Context(), from, progress)
	})
}

// Install implements machine.LifecycleServiceServer. What is installed is what runs: the medium that the machine was
// started from brings it, and a machine that is not installed has no containerd to fetch an image with.
func (a lifecycleAPI) Install(r *machine.LifecycleServiceInstallRequest, stream grpc.ServerStreamingServer[machine.LifecycleServiceInstallResponse]) error {
	if a.p.Versions == nil {
		return errNoVersions
	}
	if r.GetSource().GetImageName() != "" {
		return status.Error(codes.InvalidArgument, "source.image_name: this machine installs the version that it runs; leave it empty, and upgrade afterwards")
	}
	disk := r.GetDestination().GetDisk()
	if disk == "" {
		return status.Error(codes.InvalidArgument, "destination.disk: expected a disk, such as /dev/sda")
	}
	return tellProgress(func(p *machine.LifecycleServiceInstallProgress) error {
		return stream.Send(&machine.LifecycleServiceInstallResponse{Progress: p})
	}, func(progress func(string)) error {
		return a.p.Versions.Install(stream.Context(), disk, progress)
	})
}

// tellProgress sends what work says, its error in words, and 0 or 1 at the end. A client who is gone ends the call's
// context, and with it the work.
func tellProgress(send func(*machine.LifecycleServiceInstallProgress) error, work func(progress func(string)) error) error {
	say := func(message string) {
		_ = send(&machine.LifecycleServiceInstallProgress{Response: &machine.LifecycleServiceInstallProgress_Message{Message: message}})
	}
	var code int32
	if err := work(say); err != nil {
		say("failed: " + err.Error())
		code = 1
	}
	return send(&machine.LifecycleServiceInstallProgress{Response: &machine.LifecycleServiceInstallProgress_ExitCode{ExitCode: code}})
}
