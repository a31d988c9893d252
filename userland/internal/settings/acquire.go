// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"context"
	"errors"
	"fmt"

	"github.com/siderolabs/talos/pkg/machinery/config"
	resources "github.com/siderolabs/talos/pkg/machinery/resources/config"

	"dodeka/userland/internal/guard"
)

// Acquire reads STATE and then the sources in order, joins what they have, and stops when the configuration is
// complete. It returns whether it is; false with a nil error means maintenance mode. A source that cannot be read or
// whose text is refused is skipped, and its error is part of the result only when no later source completes the
// configuration. An apply that comes meanwhile ends it. It can be called again: it goes on with the next source.
func (m *Manager) Acquire(ctx context.Context) (bool, error) { return m.acquire(ctx, true) }

// AcquireLocal is Acquire up to the first source that needs the network.
func (m *Manager) AcquireLocal(ctx context.Context) (bool, error) { return m.acquire(ctx, false) }

func (m *Manager) acquire(ctx context.Context, network bool) (bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // a configuration from the API makes every other source pointless
		select {
		case <-m.completed:
			cancel()
		case <-ctx.Done():
		}
	}()
	var problems []error
	if err := guard.Run(func() error { return m.readState(ctx) }); err != nil {
		problems = append(problems, err)
	}
	for !m.Complete() {
		source, found := m.next(network)
		if !found {
			break
		}
		err := guard.Run(func() error { return m.readSource(ctx, source) }) // a text that no decoder expected costs its source only
		if err != nil && !m.Complete() {
			err = fmt.Errorf("configuration from %s: %w", source.Name, err)
			m.options.Log("%v", err)
			problems = append(problems, err)
		}
	}
	if m.Complete() {
		return true, nil
	}
	return false, errors.Join(problems...)
}

// next takes a source off the list.
func (m *Manager) next(network bool) (Source, bool) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.position >= len(m.options.Sources) {
		return Source{}, false
	}
	source := m.options.Sources[m.position]
	if source.Network && !network {
		return Source{}, false
	}
	m.position++
	return source, true
}

// readState takes what STATE holds, once, and only while the configuration is not complete. It replaces documents that
// were collected before: STATE has the first word.
func (m *Manager) readState(ctx context.Context) error {
	m.applying.Lock()
	defer m.applying.Unlock()
	m.mutex.Lock()
	store, unread := m.store, m.unread && !complete(m.active)
	m.unread = false
	m.mutex.Unlock()
	if store == nil || !unread {
		return nil
	}
	provider, complaints := store.load()
	for _, complaint := range complaints {
		m.options.Log("configuration on STATE: %v", complaint)
	}
	if provider == nil {
		return errors.Join(complaints...)
	}
	if len(complaints) > 0 {
		m.options.Log("configuration on STATE: the previous one is used")
	}
	m.mutex.Lock()
	m.kept = provider
	m.mutex.Unlock()
	if err := m.publish(ctx, provider, resources.PersistentID); err != nil {
		return err
	}
	m.options.Log("configuration from STATE: %s", names(provider))
	return m.activate(ctx, provider)
}

// readSource joins what a source has with what is held. STATE gets the result once it is complete.
func (m *Manager) readSource(ctx context.Context, source Source) error {
	data, err := source.Read(ctx)
	if errors.Is(err, ErrNone) || err == nil && len(data) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	parsed, err := Parse(data)
	if err != nil {
		return err
	}
	m.applying.Lock()
	defer m.applying.Unlock()
	if m.Complete() {
		return nil
	}
	joined, err := merge(m.Active(), parsed.Provider)
	if err != nil {
		return err
	}
	warnings, err := validate(ctx, joined, stored, nil)
	if err != nil {
		return err
	}
	for _, warning := range append(parsed.Warnings, warnings...) {
		m.options.Log("configuration from %s: %s", source.Name, oneLine(warning))
	}
	m.options.Log("configuration from %s: %s", source.Name, names(parsed.Provider))
	return m.take(ctx, joined)
}

// take brings a joined configuration into force. One that cannot be written to STATE is still used: without it the
// machine would be open for a first configuration.
func (m *Manager) take(ctx context.Context, joined config.Provider) error {
	if complete(joined) {
		if err := m.persist(ctx, joined); err != nil {
			m.options.Log("%v", err)
		}
	}
	return m.activate(ctx, joined)
}
