// SPDX-License-Identifier: Apache-2.0

package disks

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/api/resource/definitions/block"
	"github.com/siderolabs/talos/pkg/machinery/cel"
	"github.com/siderolabs/talos/pkg/machinery/cel/celenv"
)

// Selector is what the configuration says about the install disk: a path, or an expression over its properties (which
// is also what the fields of diskSelector become). The path wins, as it does in Talos.
type Selector struct {
	Path  string
	Match *cel.Expression
}

// InstallConfig is the part of the machine configuration that names the disk.
type InstallConfig interface {
	Disk() string
	DiskMatchExpression() (*cel.Expression, error)
}

// SelectorOf reads the configuration.
func SelectorOf(config InstallConfig) (Selector, error) {
	match, err := config.DiskMatchExpression()
	if err != nil {
		return Selector{}, fmt.Errorf("machine.install.diskSelector: %w", err)
	}
	return Selector{Path: config.Disk(), Match: match}, nil
}

// Select returns the disk that is meant. Of several that match, the first is taken that can be installed to: not a CD,
// not read-only, not the medium that was booted (boot, by name). The error lists the disks and why each was not taken.
func Select(all []Disk, selector Selector, boot, system string) (Disk, error) {
	if selector.Path == "" && selector.Match == nil {
		return Disk{}, errors.New("no disk is selected: set machine.install.disk or machine.install.diskSelector")
	}
	var reasons []string
	for _, d := range all {
		reason, err := refusal(d, selector, boot, system)
		if err != nil {
			return Disk{}, err
		}
		if reason == "" {
			return d, nil
		}
		reasons = append(reasons, d.DevPath+" "+reason)
	}
	if len(reasons) == 0 {
		reasons = []string{"the machine has no disk"}
	}
	return Disk{}, fmt.Errorf("no disk fits %s: %s", selector, strings.Join(reasons, "; "))
}

// String is for messages.
func (s Selector) String() string {
	if s.Path != "" {
		return fmt.Sprintf("%q", s.Path)
	}
	return fmt.Sprintf("%q", s.Match.String())
}

func refusal(d Disk, selector Selector, boot, system string) (string, error) {
	match, err := matches(d, selector, system)
	switch {
	case err != nil:
		return "", err
	case !match:
		return "does not match", nil
	case d.CDROM:
		return "is a CD drive", nil
	case d.ReadOnly:
		return "is read-only", nil
	case d.Name == boot && d.Name != system:
		return "is the medium that was booted", nil
	}
	return "", nil
}

func matches(d Disk, selector Selector, system string) (bool, error) {
	if selector.Path != "" {
		wanted := filepath.Clean(selector.Path)
		if resolved, err := filepath.EvalSymlinks(wanted); err == nil && resolved == d.DevPath {
			return true, nil
		}
		return wanted == d.DevPath || slices.Contains(d.Symlinks, wanted), nil
	}
	match, err := selector.Match.EvalBool(celenv.DiskLocator(), map[string]any{
		"disk": d.message(), "system_disk": system != "" && d.Name == system,
	})
	if err != nil {
		return false, fmt.Errorf("selector %s: %w", selector, err)
	}
	return match, nil
}

func (d Disk) message() *block.DiskSpec {
	return &block.DiskSpec{
		Size: d.Size, IoSize: uint64(d.IOSize), SectorSize: uint64(d.SectorSize), Readonly: d.ReadOnly, Cdrom: d.CDROM,
		Model: d.Model, Serial: d.Serial, Modalias: d.Modalias, Wwid: d.WWID, Uuid: d.UUID, BusPath: d.BusPath,
		SubSystem: d.SubSystem, Transport: d.Transport, Rotational: d.Rotational, DevPath: d.DevPath, Symlinks: d.Symlinks,
	}
}
