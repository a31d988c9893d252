// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/constants"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"dodeka/userland/internal/containerd"
	"dodeka/userland/internal/logs"
	"dodeka/userland/internal/podlogs"
)

// chunk is what one message of a stream carries at most.
const chunk = 32 << 10

// Logs implements machine.MachineServiceServer: the output of services, and of what the kubelet runs.
func (a *api) Logs(r *machine.LogsRequest, stream grpc.ServerStreamingServer[common.Data]) error {
	if a.p.Logs == nil {
		return status.Error(codes.FailedPrecondition, "there are no logs yet")
	}
	reader, err := a.openLog(stream.Context(), r.Namespace, r.Id, logs.Options{Follow: r.Follow, TailLines: r.TailLines})
	switch {
	case errors.Is(err, logs.ErrID):
		return status.Error(codes.InvalidArgument, err.Error())
	case errors.Is(err, logs.ErrUnknown), errors.Is(err, fs.ErrNotExist):
		return status.Error(codes.NotFound, err.Error())
	case err != nil:
		return err
	}
	defer reader.Close()
	return sendAll(reader, stream.Send)
}

func (a *api) openLog(ctx context.Context, namespace, id string, options logs.Options) (io.ReadCloser, error) {
	if namespace == constants.SystemContainerdNamespace || namespace == "" || id == "kubelet" {
		return a.p.Logs.Reader(ctx, id, options)
	}
	if namespace != containerd.Kubernetes {
		return nil, status.Errorf(codes.InvalidArgument, "namespace: found %q, expected %q or %q", namespace, constants.SystemContainerdNamespace, containerd.Kubernetes)
	}
	container, err := a.podContainer(ctx, id)
	if err != nil {
		return nil, err
	}
	return podlogs.Open(ctx, podlogs.Dir, container, options)
}

// LogsContainers implements machine.MachineServiceServer.
func (a *api) LogsContainers(context.Context, *emptypb.Empty) (*machine.LogsContainersResponse, error) {
	var ids []string
	if a.p.Logs != nil {
		ids = a.p.Logs.IDs()
	}
	return &machine.LogsContainersResponse{Messages: []*machine.LogsContainer{{Ids: ids}}}, nil
}

func sendAll(from io.Reader, send func(*common.Data) error) error {
	buffer := make([]byte, chunk)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			// A message may still be on its way when Send returns.
			if err := send(&common.Data{Bytes: append([]byte(nil), buffer[:n]...)}); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
