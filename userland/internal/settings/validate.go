// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/config"

	"dodeka/userland/internal/badfield"
	"dodeka/userland/internal/etcd"
	"dodeka/userland/internal/kubelet"
	"dodeka/userland/internal/podnetwork"
	"dodeka/userland/internal/registries"
)

// Mode says where the machine runs. It is machinery's validation.RuntimeMode.
type Mode struct {
	Platform  string      // "metal", "nocloud", ...
	Installed func() bool // nil: it is
}

// String is the platform.
func (m Mode) String() string { return m.Platform }

// InContainer is false: this OS does not run in one.
func (m Mode) InContainer() bool { return false }

// RequiresInstall is true on metal until the OS is on a disk. Cloud images are installed when they boot.
func (m Mode) RequiresInstall() bool {
	return m.Platform == "metal" && m.Installed != nil && !m.Installed()
}

// stored is the mode for a configuration that was accepted before or that came with the image: it needs no install
// section, because the machine may be installed already.
var stored = Mode{Platform: "stored"}

// clearer replaces texts of machinery that do not say which field to write.
var clearer = []struct{ part, path, text string }{
	{"machine instructions are required", "machine", "missing"},
	{"cluster instructions are required", "cluster", "missing"},
	{"install instructions are required in", "machine.install", "missing: set machine.install.disk or machine.install.diskSelector, as this machine is not installed"},
	{"either install disk or diskSelector", "machine.install.disk", "missing: set it or machine.install.diskSelector, as this machine is not installed"},
	{"cluster controlplane endpoint is required", "cluster.controlPlane.endpoint", "missing: write the URL of the Kubernetes API, https://ADDRESS:6443"},
	{"issuing CA or some accepted CAs are required", "machine.ca", "missing: without it nobody could use the API; write machine.ca or machine.acceptedCAs"},
	{"issuing CA is required", "machine.ca", "missing: a control plane machine issues certificates"},
	{"unknown machine type", "machine.type", `expected "controlplane" or "worker"`},
	{"static hostname is already set", "HostnameConfig", "conflicts with machine.network.hostname: keep one of them"},
	{".persist should be enabled", "persist", "must be true or left out"},
}

// validate runs machinery's checks; st adds those that need to know the machine, such as its disks, and may be nil.
// The error is *Invalid.
func validate(ctx context.Context, provider config.Provider, mode Mode, st state.State) ([]string, error) {
	warnings, err := guarded(func() ([]string, error) { return provider.Validate(mode) })
	if err == nil && st != nil {
		var more []string
		more, err = guarded(func() ([]string, error) { return provider.RuntimeValidate(ctx, st, mode) })
		warnings = append(warnings, more...)
	}
	if err == nil {
		return warnings, validateOurs(provider)
	}
	var problems []Problem
	for _, problem := range foreign(err) {
		problems = append(problems, clear(problem))
	}
	return nil, invalid(problems)
}

// validateOurs refuses what machinery takes and what reads it here could not carry out.
func validateOurs(provider config.Provider) error {
	_, err := registries.Files(provider)
	if err == nil && provider.Machine() != nil {
		err = kubelet.Check(provider.Machine().Pods())
	}
	if err == nil && provider.Cluster() != nil {
		err = podnetwork.Check(provider.Cluster().Network())
	}
	if err == nil && provider.Cluster() != nil {
		err = etcd.Check(provider.Cluster())
	}
	if wrong := (*badfield.Error)(nil); errors.As(err, &wrong) {
		return invalid([]Problem{{Path: wrong.Path, Text: wrong.Text}})
	}
	return err
}

func clear(problem Problem) Problem {
	for _, c := range clearer {
		if strings.Contains(problem.Text, c.part) {
			return Problem{Path: c.path, Text: c.text}
		}
	}
	return problem
}

// guarded turns a panic into an error: validators meet values that no test of theirs had.
func guarded(run func() ([]string, error)) (warnings []string, err error) {
	defer func() {
		if p := recover(); p != nil {
			warnings, err = nil, &Invalid{[]Problem{{Text: oneLine(fmt.Sprintf("the configuration cannot be checked: %v", p))}}}
		}
	}()
	return run()
}
