// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	embeddedConfig = "/dodeka/machine-config" // in the initramfs, so the UKI covers it
	keptConfig     = "/run/dodeka/machine-config"
	maxConfigBytes = 1 << 20 // the factory's bound, checked again here
)

// keepMachineConfig copies the machine configuration that the image carries to where init finds it, readable by root
// only. An image without one is fine.
func keepMachineConfig(from, to string) error {
	source, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer source.Close()
	config, err := io.ReadAll(io.LimitReader(source, maxConfigBytes+1))
	if err != nil {
		return err
	}
	if len(config) > maxConfigBytes {
		return fmt.Errorf("%s is over %d bytes", from, maxConfigBytes)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, config, 0o400)
}
