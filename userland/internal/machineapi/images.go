// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"dodeka/userland/internal/containerd"
)

// imageAPI implements machine.ImageServiceServer: the images that containerd has.
type imageAPI struct {
	machine.UnimplementedImageServiceServer
	p Parts
}

// List implements machine.ImageServiceServer.
func (a imageAPI) List(r *machine.ImageServiceListRequest, stream grpc.ServerStreamingServer[machine.ImageServiceListResponse]) error {
	namespace, err := namespaceOf(r.GetContainerd())
	if err != nil {
		return err
	}
	return a.p.eachImage(stream.Context(), namespace, func(image containerd.Image) error {
		return stream.Send(&machine.ImageServiceListResponse{
			Name: image.Name, Digest: image.Digest, Size: image.Size, Labels: image.Labels, CreatedAt: timestamppb.New(image.Created),
		})
	})
}

// Pull implements machine.ImageServiceServer: progress while it lasts, the name at the end.
func (a imageAPI) Pull(r *machine.ImageServicePullRequest, stream grpc.ServerStreamingServer[machine.ImageServicePullResponse]) error {
	namespace, err := namespaceOf(r.GetContainerd())
	if err != nil {
		return err
	}
	err = a.p.pull(stream.Context(), namespace, r.GetImageRef(), func(p containerd.Progress) {
		if told := layerProgress(p); told != nil {
			// A caller who is gone ends the call's context, and with it the pull.
			_ = stream.Send(&machine.ImageServicePullResponse{Response: &machine.ImageServicePullResponse_PullProgress{PullProgress: told}})
		}
	})
	if err != nil {
		return err
	}
	return stream.Send(&machine.ImageServicePullResponse{Response: &machine.ImageServicePullResponse_Name{Name: r.GetImageRef()}})
}

// Import implements machine.ImageServiceServer. The first message says where to, the others are an image archive.
func (a imageAPI) Import(stream grpc.ClientStreamingServer[machine.ImageServiceImportRequest, machine.ImageServiceImportResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	namespace, err := namespaceOf(first.GetContainerd())
	if err != nil {
		return err
	}
	client, err := a.p.containers()
	if err != nil {
		return err
	}
	names, err := client.Import(stream.Context(), namespace, &chunkReader{next: stream.Recv})
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return status.Error(codes.InvalidArgument, "the archive names no image for this machine")
	}
	return stream.SendAndClose(&machine.ImageServiceImportResponse{Name: names[0]})
}

// Remove implements machine.ImageServiceServer.
func (a imageAPI) Remove(ctx context.Context, r *machine.ImageServiceRemoveRequest) (*emptypb.Empty, error) {
	namespace, err := namespaceOf(r.GetContainerd())
	if err != nil {
		return nil, err
	}
	client, err := a.p.containers()
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, client.Remove(ctx, namespace, r.GetImageRef())
}

// ImageList implements machine.MachineServiceServer, for clients that do not know the service of images.
func (a *api) ImageList(r *machine.ImageListRequest, stream grpc.ServerStreamingServer[machine.ImageListResponse]) error {
	namespace, err := namespaceOf(&common.ContainerdInstance{Driver: common.ContainerDriver_CRI, Namespace: r.GetNamespace()})
	if err != nil {
		return err
	}
	return a.p.eachImage(stream.Context(), namespace, func(image containerd.Image) error {
		return stream.Send(&machine.ImageListResponse{
			Name: image.Name, Digest: image.Digest, Size: image.Size, CreatedAt: timestamppb.New(image.Created),
		})
	})
}

// ImagePull implements machine.MachineServiceServer, for clients that do not know the service of images.
func (a *api) ImagePull(ctx context.Context, r *machine.ImagePullRequest) (*machine.ImagePullResponse, error) {
	namespace, err := namespaceOf(&common.ContainerdInstance{Driver: common.ContainerDriver_CRI, Namespace: r.GetNamespace()})
	if err != nil {
		return nil, err
	}
	if err := a.p.pull(ctx, namespace, r.GetReference(), nil); err != nil {
		return nil, err
	}
	return &machine.ImagePullResponse{Messages: []*machine.ImagePull{{}}}, nil
}

// namespaceOf says which of containerd's namespaces is meant. There is one containerd here.
func namespaceOf(instance *common.ContainerdInstance) (string, error) {
	switch ns := instance.GetNamespace(); {
	case instance.GetDriver() != common.ContainerDriver_CRI:
		return "", status.Error(codes.InvalidArgument, "containerd.driver: there is one containerd here, that of CRI")
	case ns == common.ContainerdNamespace_NS_CRI:
		return containerd.Kubernetes, nil
	case ns == common.ContainerdNamespace_NS_SYSTEM:
		return containerd.System, nil
	default:
		return "", status.Errorf(codes.InvalidArgument, "containerd.namespace: found %s, expected NS_CRI or NS_SYSTEM", ns)
	}
}

func (p Parts) containers() (*containerd.Client, error) {
	if p.Containerd == nil {
		return nil, status.Error(codes.FailedPrecondition, "there is no containerd on this machine")
	}
	return p.Containerd, nil
}

func (p Parts) eachImage(ctx context.Context, namespace string, send func(containerd.Image) error) error {
	client, err := p.containers()
	if err != nil {
		return err
	}
	return client.Images(ctx, namespace, send)
}

func (p Parts) pull(ctx context.Context, namespace, reference string, progress func(containerd.Progress)) error {
	if reference == "" {
		return status.Error(codes.InvalidArgument, "image_ref: expected the whole name of an image, such as registry.example.org/app:1.0")
	}
	client, err := p.containers()
	if err != nil {
		return err
	}
	return client.Pull(ctx, namespace, reference, progress)
}

// layerEvents are what clients can show of containerd's words.
var layerEvents = map[string]machine.ImageServicePullLayerProgress_Status{
	"downloading":    machine.ImageServicePullLayerProgress_DOWNLOADING,
	"complete":       machine.ImageServicePullLayerProgress_DOWNLOAD_COMPLETE,
	"extracting":     machine.ImageServicePullLayerProgress_EXTRACTING,
	"extracted":      machine.ImageServicePullLayerProgress_EXTRACT_COMPLETE,
	"already exists": machine.ImageServicePullLayerProgress_ALREADY_EXISTS,
}

// layerProgress is nil for what is about no layer.
func layerProgress(p containerd.Progress) *machine.ImageServicePullProgress {
	layer, known := layerEvents[p.Event]
	if !known || !strings.Contains(p.MediaType, "layer") && !strings.Contains(p.MediaType, "rootfs.diff") {
		return nil
	}
	return &machine.ImageServicePullProgress{
		LayerId:  p.Digest,
		Progress: &machine.ImageServicePullLayerProgress{Status: layer, Offset: p.Done, Total: p.Total},
	}
}

// chunkReader reads what a client sends in messages.
type chunkReader struct {
	next func() (*machine.ImageServiceImportRequest, error)
	rest []byte
}

func (c *chunkReader) Read(into []byte) (int, error) {
	for len(c.rest) == 0 {
		message, err := c.next()
		if err != nil {
			return 0, err // io.EOF at the end
		}
		if code := message.GetImageChunk().GetMetadata().GetStatus().GetCode(); code != 0 {
			return 0, errors.Join(io.ErrUnexpectedEOF, errors.New("the client gave up"))
		}
		c.rest = message.GetImageChunk().GetBytes()
	}
	n := copy(into, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}
