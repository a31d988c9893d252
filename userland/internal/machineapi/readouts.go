// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"

	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"dodeka/userland/internal/readout"
)

// What the kernel knows, as package readout reads it. Each implements the method of its name of
// machine.MachineServiceServer.

func (a *api) Hostname(context.Context, *emptypb.Empty) (*machine.HostnameResponse, error) {
	return readout.Hostname(a.p.Root)
}

func (a *api) LoadAvg(context.Context, *emptypb.Empty) (*machine.LoadAvgResponse, error) {
	return readout.LoadAvg(a.p.Root)
}

func (a *api) SystemStat(context.Context, *emptypb.Empty) (*machine.SystemStatResponse, error) {
	return readout.SystemStat(a.p.Root)
}

func (a *api) CPUInfo(context.Context, *emptypb.Empty) (*machine.CPUInfoResponse, error) {
	return readout.CPUInfo(a.p.Root)
}

func (a *api) CPUFreqStats(context.Context, *emptypb.Empty) (*machine.CPUFreqStatsResponse, error) {
	return readout.CPUFreqStats(a.p.Root)
}

func (a *api) Memory(context.Context, *emptypb.Empty) (*machine.MemoryResponse, error) {
	return readout.Memory(a.p.Root)
}

func (a *api) Mounts(context.Context, *emptypb.Empty) (*machine.MountsResponse, error) {
	return readout.Mounts(a.p.Root)
}

func (a *api) NetworkDeviceStats(context.Context, *emptypb.Empty) (*machine.NetworkDeviceStatsResponse, error) {
	return readout.NetworkDeviceStats(a.p.Root)
}

func (a *api) DiskStats(context.Context, *emptypb.Empty) (*machine.DiskStatsResponse, error) {
	return readout.DiskStats(a.p.Root)
}

func (a *api) Processes(ctx context.Context, _ *emptypb.Empty) (*machine.ProcessesResponse, error) {
	return readout.Processes(ctx, a.p.Root)
}

func (a *api) Netstat(ctx context.Context, r *machine.NetstatRequest) (*machine.NetstatResponse, error) {
	return readout.Netstat(ctx, a.p.Root, r)
}

func (a *api) List(r *machine.ListRequest, stream grpc.ServerStreamingServer[machine.FileInfo]) error {
	return readout.List(stream.Context(), a.p.Root, r, stream.Send)
}

func (a *api) DiskUsage(r *machine.DiskUsageRequest, stream grpc.ServerStreamingServer[machine.DiskUsageInfo]) error {
	return readout.DiskUsage(stream.Context(), a.p.Root, r, stream.Send)
}

func (a *api) Read(r *machine.ReadRequest, stream grpc.ServerStreamingServer[common.Data]) error {
	return readout.Read(stream.Context(), a.p.Root, r, stream.Send)
}

func (a *api) Copy(r *machine.CopyRequest, stream grpc.ServerStreamingServer[common.Data]) error {
	return readout.Copy(stream.Context(), a.p.Root, r, stream.Send)
}

func (a *api) Dmesg(r *machine.DmesgRequest, stream grpc.ServerStreamingServer[common.Data]) error {
	return readout.Dmesg(stream.Context(), a.p.Root, r, stream.Send)
}
