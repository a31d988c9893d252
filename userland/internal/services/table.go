// SPDX-License-Identifier: Apache-2.0

package services

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"

	"dodeka/userland/internal/access"
	"dodeka/userland/internal/cgroup"
)

// Names of the services, as clients know them.
const (
	Machined   = "machined" // PID 1 itself
	APID       = "apid"
	Trustd     = "trustd"
	Dashboard  = "dashboard"
	Containerd = "containerd"
	Kubelet    = "kubelet"
)

// ContainerdSocket is where the container runtime listens.
const ContainerdSocket = "/run/containerd/containerd.sock"

const (
	mib        = 1 << 20
	searchPath = "PATH=/usr/bin:/sbin"
)

// Machine is what the table does not know by itself.
type Machine struct {
	State    state.State
	Screen   string   // device of the dashboard's screen, such as /dev/tty0; empty for none
	Lines    []string // devices of consoles that get the status as lines
	CodeFile string   // where the maintenance code is for the dashboard
}

// Table describes every service of the system but the kubelet.
func Table(m Machine) []Definition {
	return []Definition{
		{
			ID: Machined, Run: waitForEnd,
			Health: &Health{Check: Listening("unix", access.Socket)},
		}, {
			ID: APID, DependsOn: []string{Machined}, Operable: true,
			Command: Command{Path: "/sbin/apid", Env: []string{"GOMEMLIMIT=96MiB"}, UID: access.APIDUser, GID: access.APIDUser, OOMScore: -998},
			Cgroup:  Limits{Limits: cgroup.Limits{MemoryMax: 128 * mib, MemoryMin: 16 * mib, CPUWeight: 50, PIDsMax: 256}},
			Health:  &Health{Check: Listening("tcp", "127.0.0.1:50000")},
		}, {
			ID: Trustd, DependsOn: []string{Machined}, Operable: true,
			Condition: Exists(m.State, secrets.NewTrustd().Metadata()), Waiting: "the certificate of trustd",
			Command: Command{Path: "/sbin/trustd", Env: []string{"GOMEMLIMIT=48MiB"}, UID: access.TrustdUser, GID: access.TrustdUser, OOMScore: -998},
			Cgroup:  Limits{Limits: cgroup.Limits{MemoryMax: 64 * mib, MemoryMin: 8 * mib, CPUWeight: 25, PIDsMax: 128}},
			Health:  &Health{Check: Listening("tcp", "127.0.0.1:50001")},
		}, dashboard(m), {
			ID: Containerd, Operable: true,
			Command: Command{Path: "/usr/bin/containerd", Args: []string{"--config", "/etc/containerd/config.toml"},
				Env: []string{searchPath}, Privileged: true, OOMScore: -999, LeaveChildren: true},
			Cgroup: Limits{Path: cgroup.PodRuntime + "/runtime", Limits: cgroup.Limits{CPUWeight: 100}},
			Health: &Health{Check: Serving("unix://" + ContainerdSocket)},
		},
	}
}

// dashboard gets its consoles as open descriptors, as it may open none by itself.
func dashboard(m Machine) Definition {
	d := Definition{
		ID: Dashboard, DependsOn: []string{Machined}, Operable: true, StopAfter: 3 * time.Second,
		Command: Command{Path: "/sbin/dashboard", Env: []string{"GOMEMLIMIT=24MiB"},
			UID: access.DashboardUser, GID: access.DashboardUser, OOMScore: 100},
		Cgroup: Limits{Limits: cgroup.Limits{MemoryMax: 64 * mib, CPUWeight: 20, PIDsMax: 64}},
	}
	hand := func(option, device string) {
		descriptor := 3 + len(d.Command.Terminals)
		d.Command.Terminals = append(d.Command.Terminals, device)
		d.Command.Args = append(d.Command.Args, option, fmt.Sprintf("fd:%d", descriptor))
	}
	if m.Screen != "" {
		hand("-screen", m.Screen)
	}
	for _, device := range m.Lines {
		hand("-lines", device)
	}
	if m.CodeFile != "" {
		d.Command.Args = append(d.Command.Args, "-code", m.CodeFile)
	}
	return d
}

// KubeletOf is the service of a machine that runs pods. Its containers end with the machine, not with it.
func KubeletOf(args []string) Definition {
	return Definition{
		ID: Kubelet, DependsOn: []string{Containerd}, Operable: true, StopAfter: 30 * time.Second,
		Command: Command{Path: "/usr/bin/kubelet", Args: args, Env: []string{searchPath}, Privileged: true, OOMScore: -450},
		Cgroup:  Limits{Path: cgroup.PodRuntime + "/kubelet", Limits: cgroup.Limits{CPUWeight: 100}},
		Health:  &Health{Check: Answering("http://127.0.0.1:10248/healthz"), Period: 10 * time.Second, Timeout: 3 * time.Second},
	}
}

// Exists is a condition: it waits until there is such a resource.
func Exists(resources state.State, pointer resource.Pointer) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := resources.WatchFor(ctx, pointer, state.WithEventTypes(state.Created, state.Updated))
		return err
	}
}

// waitForEnd stands for PID 1 in the list of services; what it does is all around it.
func waitForEnd(ctx context.Context, _ io.Writer) error {
	<-ctx.Done()
	return nil
}
