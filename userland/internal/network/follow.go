// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"fmt"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/state"
	configresource "github.com/siderolabs/talos/pkg/machinery/resources/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
)

// follow keeps the configuration and the platform's word up to date, and returns when the first state is known.
func (m *Manager) follow(ctx context.Context) error {
	events := make(chan state.Event, 16)
	watched := []resource.Pointer{
		resource.NewMetadata(configresource.NamespaceName, configresource.MachineConfigType, configresource.ActiveID, resource.VersionUndefined),
		resource.NewMetadata(network.NamespaceName, network.PlatformConfigType, network.PlatformConfigActiveID, resource.VersionUndefined),
	}
	for _, pointer := range watched {
		if err := m.options.State.Watch(ctx, pointer, events); err != nil {
			return fmt.Errorf("watch %s: %w", pointer.Type(), err)
		}
	}
	for range watched { // the first event of each watch says what is there now
		select {
		case e := <-events:
			m.take(e)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m.options.Go("network", func() {
		for {
			select {
			case e := <-events:
				m.take(e)
				m.poke()
			case <-ctx.Done():
				return
			}
		}
	})
	return nil
}

func (m *Manager) take(e state.Event) {
	if e.Type == state.Errored {
		m.options.Log(fmt.Sprintf("dodeka: network: watch the configuration: %v", e.Error))
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.Type == state.Destroyed { // also said of what was never there
		if e.Resource.Metadata().Type() == configresource.MachineConfigType {
			m.config = nil
		} else {
			m.platform = nil
		}
		return
	}
	switch r := e.Resource.(type) {
	case *configresource.MachineConfig:
		m.config = r.Config()
	case *network.PlatformConfig:
		m.platform = r.TypedSpec()
	}
}
