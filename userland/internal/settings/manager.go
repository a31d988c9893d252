// SPDX-License-Identifier: Apache-2.0

// Package settings holds the machine configuration: where it comes from, what of it this OS honours, how a change is
// tried, applied and kept.
// Wire format: Talos machine configuration, multi-document YAML, as github.com/siderolabs/talos/pkg/machinery decodes
// it; fields.go is the table of what we make of it. Everybody else follows the resource config.MachineConfig with the
// id "v1alpha1" (in force now); the id "persistent" is what STATE holds, which differs while a change is tried or staged.
package settings

import (
	"context"
	"fmt"
	"sync"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/config"
	resources "github.com/siderolabs/talos/pkg/machinery/resources/config"
)

// Options are what a Manager works with.
type Options struct {
	State   state.State
	Dir     string   // where STATE is mounted; empty while it is not
	Sources []Source // after STATE, in order
	Log     func(format string, arguments ...any)
	Mode    Mode
}

// Manager is the only writer of the machine configuration.
type Manager struct {
	options Options

	applying sync.Mutex // held through one apply, merge or revert; never while a source is read

	mutex     sync.Mutex      // guards what follows
	store     *store          // nil without STATE
	unread    bool            // Acquire has not looked into STATE yet
	active    config.Provider // in force; nil when there is none
	kept      config.Provider // what belongs into STATE; differs from active while a change is tried or staged
	trial     *trial          // the running try
	rebooting bool
	position  int           // of the next source to read
	completed chan struct{} // closed once active is complete
}

// New makes a manager that holds nothing yet: Acquire or Apply fill it.
func New(options Options) *Manager {
	if options.Log == nil {
		options.Log = func(string, ...any) {}
	}
	m := &Manager{options: options, completed: make(chan struct{})}
	if options.Dir != "" {
		m.store, m.unread = &store{dir: options.Dir}, true
	}
	return m
}

// Complete says whether the machine has a configuration; without one it is in maintenance mode.
func (m *Manager) Complete() bool { return complete(m.Active()) }

// Completed is closed when the machine gets its configuration, whatever the way.
func (m *Manager) Completed() <-chan struct{} { return m.completed }

// Active is the configuration in force, or nil. It must not be changed.
func (m *Manager) Active() config.Provider {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.active
}

// UseStateDir is called once STATE is mounted, with its directory. A complete configuration that is held already is
// written there; what was there before stays as the previous one. Without one, the next Acquire reads STATE.
func (m *Manager) UseStateDir(dir string) error {
	m.applying.Lock()
	defer m.applying.Unlock()
	m.mutex.Lock()
	m.store = &store{dir: dir}
	kept := m.kept
	m.unread = !complete(kept)
	m.mutex.Unlock()
	if !complete(kept) {
		return nil
	}
	return m.persist(context.Background(), kept)
}

// persist writes to STATE, if there is one, and publishes that. An error leaves the old configuration there.
func (m *Manager) persist(ctx context.Context, provider config.Provider) error {
	m.mutex.Lock()
	store := m.store
	m.mutex.Unlock()
	if store != nil {
		if err := store.save(provider); err != nil {
			return fmt.Errorf("write the configuration to STATE: %w", err)
		}
		if err := m.publish(ctx, provider, resources.PersistentID); err != nil {
			return err
		}
	}
	m.mutex.Lock()
	m.kept = provider
	m.mutex.Unlock()
	return nil
}

// activate brings a configuration into force: whoever follows the resource acts on it.
func (m *Manager) activate(ctx context.Context, provider config.Provider) error {
	if err := m.publish(ctx, provider, resources.ActiveID); err != nil {
		return err
	}
	if err := m.publishType(ctx, provider); err != nil {
		return err
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if complete(provider) && !complete(m.active) {
		select {
		case <-m.completed:
		default:
			close(m.completed)
		}
	}
	m.active = provider
	return nil
}

func (m *Manager) publish(ctx context.Context, provider config.Provider, id resource.ID) error {
	return put(ctx, m.options.State, resources.NewMachineConfigWithID(provider, id))
}

func (m *Manager) publishType(ctx context.Context, provider config.Provider) error {
	if provider.Machine() == nil {
		return nil
	}
	machineType := resources.NewMachineType()
	machineType.SetMachineType(provider.Machine().Type())
	return put(ctx, m.options.State, machineType)
}

// put creates or replaces a resource. A caller that goes away must not leave half of a change, so ctx gives values only.
func put(ctx context.Context, st state.State, r resource.Resource) error {
	ctx = context.WithoutCancel(ctx)
	held, err := st.Get(ctx, r.Metadata())
	if state.IsNotFoundError(err) {
		return st.Create(ctx, r)
	}
	if err != nil {
		return err
	}
	r.Metadata().SetVersion(held.Metadata().Version())
	return st.Update(ctx, r)
}
