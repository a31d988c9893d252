// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"encoding/json"

	"github.com/opencontainers/runtime-spec/specs-go"
	"google.golang.org/protobuf/types/known/anypb"
)

// runtimeSpecType is how containerd names the JSON of a runtime specification.
const runtimeSpecType = "types.containerd.io/opencontainers/runtime-spec/1/Spec"

// hidden and fixed are the parts of /proc that tell of the machine, or change it.
var (
	hidden = []string{"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats"}
	fixed = []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
)

// runtimeSpec is what runc reads: a process without any capability, which gains none, on a file system that it cannot
// write to but for its mounts. It shares the network and the name of the machine. Spec: OCI runtime specification.
func (p Program) runtimeSpec(searchPath string) (*anypb.Any, error) {
	spec := specs.Spec{
		Version: specs.Version,
		Root:    &specs.Root{Path: "rootfs", Readonly: true},
		Process: &specs.Process{
			User: specs.User{UID: p.User, GID: p.User}, Cwd: "/", Args: p.Args, Env: append([]string{searchPath}, p.Env...),
			Capabilities: &specs.LinuxCapabilities{}, NoNewPrivileges: true, OOMScoreAdj: &p.OOMScore,
		},
		Mounts: p.mounts(),
		Linux: &specs.Linux{
			CgroupsPath: "/" + p.Cgroup,
			Resources: &specs.LinuxResources{
				Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}, // runc allows /dev/null and the like
				Unified: p.Limits,
			},
			Namespaces: []specs.LinuxNamespace{
				{Type: specs.PIDNamespace}, {Type: specs.IPCNamespace}, {Type: specs.MountNamespace}, {Type: specs.CgroupNamespace},
			},
			MaskedPaths: hidden, ReadonlyPaths: fixed,
		},
	}
	if p.OpenFiles > 0 {
		spec.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: p.OpenFiles, Soft: p.OpenFiles}}
	}
	text, err := json.Marshal(spec)
	return &anypb.Any{TypeUrl: runtimeSpecType, Value: text}, err
}

func (p Program) mounts() []specs.Mount {
	list := []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "noexec", "strictatime", "mode=755", "size=64k"}},
	}
	for _, m := range p.Mounts {
		access := "ro"
		if m.Writable {
			access = "rw"
		}
		list = append(list, specs.Mount{
			Destination: m.Inside, Type: "bind", Source: m.Source, Options: []string{"bind", access, "nosuid", "nodev", "noexec"},
		})
	}
	return list
}
