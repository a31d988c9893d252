// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLayersLieOnEphemeralAndStayThere(t *testing.T) {
	ephemeral := t.TempDir()
	kept := filepath.Join(ephemeral, "overlays/opt-cni/upper/flannel")
	for _, round := range []string{"first boot", "next boot"} {
		layers, err := makeLayers(ephemeral)
		if err != nil || len(layers) != len(podPlaces) {
			t.Fatalf("%s: %d layers, %v", round, len(layers), err)
		}
		dir := filepath.Join(ephemeral, "overlays/opt-cni")
		want := "lowerdir=/opt/cni,upperdir=" + dir + "/upper,workdir=" + dir + "/work"
		if layers[0].Target != "/opt/cni" || layers[0].Data != want {
			t.Errorf("%s: got %+v, want %s", round, layers[0], want)
		}
		if target, err := os.Readlink(filepath.Join(ephemeral, "run")); target != "/run" {
			t.Errorf("%s: run leads to %q, %v", round, target, err)
		}
		put(t, kept, "a plugin of an add-on")
	}
	if _, err := os.Stat(kept); err != nil {
		t.Error(err)
	}
}
