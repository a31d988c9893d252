// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"dodeka/userland/internal/vmguest"
)

// vmware reads guestinfo variables, each base64 text. Spec: docs of cloud-init, datasources/vmware, for metadata and its
// network; talos.config, then userdata, is the configuration. Left out: the OVF environment.
type vmware struct{ Options }

func (v vmware) Name() string { return "vmware" }

// Read takes the first configuration variable that is there.
func (v vmware) Read(ctx context.Context) (Metadata, error) {
	var found Metadata
	meta, err := v.variable(ctx, "metadata")
	if err == nil && len(meta) > 0 {
		err = v.interpret(meta, &found)
	}
	if err != nil {
		return Metadata{}.finish(v.Name()), fmt.Errorf("metadata: %w", err)
	}
	for _, name := range []string{"dodeka.config", "talos.config", "userdata"} {
		if found.Config, err = v.variable(ctx, name); err != nil {
			return found.finish(v.Name()), fmt.Errorf("%s: %w", name, err)
		}
		if name == "userdata" {
			found.Config = machineConfig(found.Config)
		}
		if len(found.Config) > 0 {
			break
		}
	}
	return found.finish(v.Name()), nil
}

// guestInfo asks the hypervisor.
func guestInfo(ctx context.Context, name string) (string, error) {
	text, err := vmguest.Variable(ctx, name)
	if errors.Is(err, vmguest.ErrNone) {
		err = fmt.Errorf("%s: %w", name, ErrNone)
	}
	return text, err
}

func (v vmware) variable(ctx context.Context, name string) ([]byte, error) {
	text, err := v.GuestInfo(ctx, name)
	if errors.Is(err, ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(text) > MaxBytes*4/3 {
		return nil, fmt.Errorf("it is over %d bytes", MaxBytes)
	}
	return decodeBase64(text)
}

func (v vmware) interpret(meta []byte, found *Metadata) error {
	var id identity
	if err := decodeYAML(meta, &id); err != nil {
		return err
	}
	found.Hostname = cmp.Or(id.Local, id.Hostname)
	found.Facts.InstanceID = id.InstanceID
	if !strings.Contains(string(meta), "network:") {
		return nil
	}
	spec, err := parseNetworkConfig(meta, v.LinkByMAC)
	found.Network = spec
	return err
}
