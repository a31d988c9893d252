// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"dodeka/userland/internal/mounts"
)

// podPlaces are directories of the read-only root that network add-ons write to from their pods: programs into the
// one, configuration into the other.
var podPlaces = []string{"/opt/cni", "/etc/cni"}

// openPodPlaces makes them writable, with what is written kept on EPHEMERAL, which must be mounted.
func openPodPlaces(ephemeral string) error {
	layers, err := makeLayers(ephemeral)
	if err != nil {
		return err
	}
	return mounts.All(layers)
}

// makeLayers prepares the writable layers, and links run, where programs look for sockets, to /run.
// Spec: Linux Documentation/filesystems/overlayfs.rst.
func makeLayers(ephemeral string) (layers []mounts.Entry, err error) {
	if err := os.Symlink("/run", filepath.Join(ephemeral, "run")); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	for _, place := range podPlaces {
		dir := filepath.Join(ephemeral, "overlays", strings.ReplaceAll(place[1:], "/", "-"))
		upper, work := filepath.Join(dir, "upper"), filepath.Join(dir, "work")
		for _, one := range []string{upper, work} {
			if err := os.MkdirAll(one, 0o755); err != nil {
				return nil, err
			}
		}
		layers = append(layers, mounts.Entry{
			Target: place, Kind: "overlay", Flags: mounts.NoSuid | mounts.NoDev,
			Data: "lowerdir=" + place + ",upperdir=" + upper + ",workdir=" + work,
		})
	}
	return layers, nil
}
