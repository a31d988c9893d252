// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/impl/inmem"
	"github.com/cosi-project/runtime/pkg/state/impl/namespaced"

	"dodeka/userland/internal/phase"
	"dodeka/userland/internal/settings"
)

func namesOf(lists ...[]phase.Phase[system]) string {
	var names []string
	for _, p := range slices.Concat(lists...) {
		names = append(names, p.Name)
	}
	return strings.Join(names, " ")
}

func TestPhasesHaveTheNamesOfTheContract(t *testing.T) {
	for got, want := range map[string]string{
		namesOf(initializePhases, readyPhases): "system-mounts system-modules hostname console api meta state config network platform services ready",
		namesOf(installPhases):                 "install state",
		namesOf(keepPhases, readyPhases):       "state ready",
		namesOf(workloadPhases):                "ephemeral time workloads",
	} {
		if got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}

func TestBootKeepsTheConfigurationOfAnInstalledMachine(t *testing.T) {
	const text = "version: v1alpha1\nmachine: {type: worker, ca: {crt: LS0tCg==}}\ncluster: {controlPlane: {endpoint: 'https://10.0.0.1:6443'}}\n"
	configuration := settings.Source{Name: "test", Read: func(context.Context) ([]byte, error) { return []byte(text), nil }}
	for _, tc := range []struct {
		name    string
		sources []settings.Source
		disk    string
		exits   bool
		want    string
	}{
		{"installed and configured", []settings.Source{configuration}, "/dev/sda", false, "state ready"},
		{"without a configuration", nil, "/dev/sda", false, "ready"},
		{"not installed", []settings.Source{configuration}, "", false, "ready"},
		{"a boot that ends by itself", []settings.Source{configuration}, "/dev/sda", true, "ready"},
	} {
		s := newSystem()
		s.cmdline.PowerOffWhenReady, s.storage.system = tc.exits, tc.disk
		s.settings = settings.New(settings.Options{State: state.WrapCore(namespaced.NewState(inmem.Build)), Sources: tc.sources})
		if _, err := s.settings.Acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := namesOf(s.bootPhases()); got != tc.want || s.configured != (tc.want != "ready") || s.storage.isPending() != s.configured {
			t.Errorf("%s: got %q, configured %v", tc.name, got, s.configured)
		}
	}
}
