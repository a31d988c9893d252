// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"
	"runtime"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Version implements machine.MachineServiceServer.
func (a *api) Version(context.Context, *emptypb.Empty) (*machine.VersionResponse, error) {
	return &machine.VersionResponse{Messages: []*machine.Version{{
		Version: &machine.VersionInfo{
			Tag: "v" + strings.TrimPrefix(a.p.About.Version, "v"), Sha: a.p.About.Digest,
			GoVersion: runtime.Version(), Os: runtime.GOOS, Arch: runtime.GOARCH,
		},
		Platform: &machine.PlatformInfo{Name: a.p.About.Platform, Mode: a.p.About.Mode},
		Features: &machine.FeaturesInfo{Rbac: true},
	}}}, nil
}
