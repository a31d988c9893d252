// SPDX-License-Identifier: Apache-2.0

package registries

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/cosi-project/runtime/pkg/controller"
	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/resources/config"
	"go.uber.org/zap"
)

// Controller keeps the files as the active configuration wants them.
type Controller struct {
	Link    string // what containerd is told: it always leads to a whole folder
	written map[string][]byte
}

var _ controller.Controller = (*Controller)(nil)

// Name implements controller.Controller.
func (c *Controller) Name() string { return "registries" }

// Inputs implements controller.Controller.
func (c *Controller) Inputs() []controller.Input {
	return []controller.Input{{Namespace: config.NamespaceName, Type: config.MachineConfigType, Kind: controller.InputWeak}}
}

// Outputs implements controller.Controller: files only.
func (c *Controller) Outputs() []controller.Output { return nil }

// Run implements controller.Controller.
func (c *Controller) Run(ctx context.Context, r controller.Runtime, _ *zap.Logger) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.EventCh():
		}
		if err := c.reconcile(ctx, r); err != nil {
			return err
		}
		r.ResetRestartBackoff()
	}
}

func (c *Controller) reconcile(ctx context.Context, r controller.Reader) error {
	files := map[string][]byte{}
	active, err := safe.ReaderGetByID[*config.MachineConfig](ctx, r, config.ActiveID)
	if err == nil {
		files, err = Files(active.Config())
	}
	if err != nil && !state.IsNotFoundError(err) {
		return fmt.Errorf("registries: %w", err)
	}
	if c.written != nil && maps.EqualFunc(c.written, files, slices.Equal) {
		return nil
	}
	if err := replace(c.Link, files); err != nil {
		return fmt.Errorf("registries: %w", err)
	}
	c.written = files
	return nil
}

// replace makes link lead to a new folder with these files. Whoever reads sees the old folder or the new one. They hold
// passwords and keys: nobody but root may read them.
func replace(link string, files map[string][]byte) error {
	folder := fmt.Sprintf("%s.%s", link, rand.Text())
	old, _ := os.Readlink(link)
	if err := fill(folder, files); err != nil {
		_ = os.RemoveAll(folder) // it is tried again, and the folder is memory
		return err
	}
	next := folder + ".link"
	if err := os.Symlink(filepath.Base(folder), next); err != nil {
		return err
	}
	if err := os.Rename(next, link); err != nil || old == "" {
		return err
	}
	return os.RemoveAll(filepath.Join(filepath.Dir(link), old))
}

func fill(folder string, files map[string][]byte) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for path, content := range files {
		path = filepath.Join(folder, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return err
		}
	}
	return nil
}
