// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"sync"

	"dodeka/userland/internal/dashboardview"
)

const maxLog = 40 // lines; more than any screen shows

// model is what the sources have found out so far. It is safe for concurrent use.
type model struct {
	mu      sync.Mutex
	view    dashboardview.View
	changed chan struct{}
}

func newModel() *model {
	return &model{view: dashboardview.View{Name: "Dodeka"}, changed: make(chan struct{}, 1)}
}

// change alters the view and wakes whoever draws it.
func (m *model) change(alter func(*dashboardview.View)) {
	m.mu.Lock()
	alter(&m.view)
	m.mu.Unlock()
	select {
	case m.changed <- struct{}{}:
	default: // a wake-up is already waiting
	}
}

// addLog appends lines and forgets the oldest.
func (m *model) addLog(lines ...string) {
	m.change(func(v *dashboardview.View) {
		v.Log = append(v.Log, lines...)
		v.Log = slices.Clone(v.Log[max(0, len(v.Log)-maxLog):])
	})
}

// current is a copy: what sources change is always replaced as a whole.
func (m *model) current() dashboardview.View {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.view
	v.Log = slices.Clone(v.Log)
	return v
}
