// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/cosi-project/runtime/pkg/controller"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"dodeka/userland/internal/access"
	"dodeka/userland/internal/cgroup"
	"dodeka/userland/internal/containerd"
	"dodeka/userland/internal/machineapi"
	"dodeka/userland/internal/osidentity"
	"dodeka/userland/internal/osstate"
	"dodeka/userland/internal/readout"
	"dodeka/userland/internal/registries"
	"dodeka/userland/internal/sequence"
	"dodeka/userland/internal/services"
	"dodeka/userland/internal/settings"
	"dodeka/userland/internal/timesync"
)

// startAPI makes the state of the machine and serves it on the socket. What later phases find appears there.
func startAPI(s *system) error {
	ctx := context.Background()
	var err error
	if s.os, err = osstate.NewLogged(ctx, s.controllerLog()); err != nil {
		return err
	}
	if s.status, err = sequence.NewStatus(ctx, s.os.State, s.events); err != nil {
		return err
	}
	sources, err := s.configurationSources()
	if err != nil {
		return err
	}
	s.settings = settings.New(settings.Options{
		State: s.os.State, Sources: sources, Log: s.log,
		Mode: settings.Mode{Platform: s.cmdline.Platform, Installed: s.storage.installed},
	})
	s.services = services.New(services.Options{
		State: s.os.State, Events: s.events, Logs: s.logs, Cgroups: s.controlGroups(), Reaper: s.reaper, Log: s.note,
	})
	for _, one := range []controller.Controller{
		&osidentity.Controller{Ask: osidentity.TrustdAsker{}},
		&registries.Controller{Link: "/run/dodeka/registries"}, // where the image's link in /etc/cri leads
	} {
		if err := s.os.Runtime.RegisterController(one); err != nil {
			return err
		}
	}
	s.guard("controllers", func() { s.report("controllers", s.os.Runtime.Run(ctx)) })
	server := machineapi.New(s.apiParts())
	s.guard("api", func() { s.report("api", machineapi.Serve(ctx, server, access.Socket)) })
	s.guard("readiness", s.followReadiness)
	return nil
}

func (s *system) apiParts() machineapi.Parts {
	s.versions = &versions{s: s, containerd: s.containerd()}
	return machineapi.Parts{
		State: s.os.State, Controller: s.os.Runtime, Events: s.events, Settings: s.settings, Gate: lateGate{s},
		Services: s.services, Logs: s.logs, Sequences: s.desk, Meta: s.openedMeta, AskTime: timesync.Ask, Root: readout.Machine, Log: s.note,
		Containerd: s.versions.containerd, Versions: s.versions, Etcd: s.database,
		About: machineapi.About{
			Version: s.cmdline.Version, Digest: s.cmdline.RootHash, Platform: s.cmdline.Platform, Mode: runMode(s.cmdline.Platform),
		},
	}
}

// containerd is asked as soon as it answers; until then callers are told that it does not.
func (s *system) containerd() *containerd.Client {
	client, err := containerd.New(services.ContainerdSocket)
	s.report("containerd", err)
	return client
}

// runMode is machinery's word for how an image came onto the machine.
func runMode(platform string) string {
	if platform == "metal" {
		return "metal"
	}
	return "cloud"
}

// controlGroups is nil where the tree cannot be set up: services then run without limits, which is said.
func (s *system) controlGroups() *cgroup.Tree {
	tree := cgroup.New("/sys/fs/cgroup")
	if err := tree.Setup(1); err != nil {
		s.report("control groups, services run without limits", err)
		return nil
	}
	return tree
}

// controllerLog keeps what controllers complain about in a log of its own.
func (s *system) controllerLog() *zap.Logger {
	config := zap.NewProductionEncoderConfig()
	config.EncodeTime = zapcore.RFC3339TimeEncoder
	return zap.New(zapcore.NewCore(zapcore.NewConsoleEncoder(config), zapcore.AddSync(s.logs.Writer("controller-runtime")), zap.WarnLevel))
}

// lateGate is closed until the machine knows that it has no configuration.
type lateGate struct{ s *system }

func (g lateGate) Admit(data []byte) ([]byte, error) {
	gate := g.s.gate.Load()
	if gate == nil {
		return nil, access.ErrNotAuthorized
	}
	return gate.Admit(data)
}
