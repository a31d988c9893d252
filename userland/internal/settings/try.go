// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"context"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/config"

	"dodeka/userland/internal/guard"
)

// trial is a configuration in force that nobody has confirmed. STATE still holds the one before, so a reboot ends it too.
type trial struct {
	before config.Provider // what returns; of a try during a try, what was in force before the first
	timer  *time.Timer
}

// try brings a configuration into force until the timeout; the caller holds applying.
func (m *Manager) try(ctx context.Context, next config.Provider, timeout time.Duration) error {
	before := m.Active()
	if running := m.endTrial(); running != nil {
		before = running.before
	}
	t := &trial{before: before}
	m.mutex.Lock()
	m.trial = t
	t.timer = time.AfterFunc(timeout, func() { m.revert(t) }) // before it is in force: a change that hangs us reverts too
	m.mutex.Unlock()
	return m.activate(ctx, next)
}

// endTrial stops the running try, if there is one, and leaves in force what is.
func (m *Manager) endTrial() *trial {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	ended := m.trial
	m.trial = nil
	if ended != nil {
		ended.timer.Stop()
	}
	return ended
}

func (m *Manager) revert(t *trial) {
	m.applying.Lock()
	defer m.applying.Unlock()
	m.mutex.Lock()
	current := m.trial == t // an apply may have ended it while we waited
	if current {
		m.trial = nil
	}
	m.mutex.Unlock()
	if !current {
		return
	}
	m.options.Log("configuration: the try is over, the one before returns")
	if err := guard.Run(func() error { return m.activate(context.Background(), t.before) }); err != nil {
		m.options.Log("configuration: the one before could not return: %v", err)
	}
}
