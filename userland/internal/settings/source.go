// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// EmbeddedPath is where stage1 leaves the configuration that the image carries.
const EmbeddedPath = "/run/dodeka/machine-config"

// Source is a place that may have a configuration, or some documents of one.
type Source struct {
	Name    string // for the log: "embedded", "kernel argument", "nocloud"
	Network bool   // it waits for the network: AcquireLocal leaves it out
	Read    func(ctx context.Context) ([]byte, error)
}

// ErrNone is what Read returns when the source has nothing; so does an empty result.
var ErrNone = errors.New("no configuration")

// Embedded reads the configuration that came with the image. The signed UKI covers it.
func Embedded(path string) Source {
	return Source{Name: "embedded", Read: func(context.Context) ([]byte, error) {
		file, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, ErrNone
		}
		if err != nil {
			return nil, err
		}
		defer file.Close()
		data, err := io.ReadAll(io.LimitReader(file, MaxBytes+1))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return data, nil
	}}
}
