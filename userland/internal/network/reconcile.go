// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"strings"

	"dodeka/userland/internal/linkspec"
)

// reconcile brings the kernel to what is wanted, as far as it goes, and writes down what is there then.
func (m *Manager) reconcile(ctx context.Context) {
	for range maxRound {
		shown, err := m.options.Backend.Snapshot()
		if err != nil {
			m.complain("look at the network", err)
			return
		}
		m.complain("look at the network", nil)
		input, leases := m.input(shown)
		plan := linkspec.Compute(input)
		target := want(plan, leases, shown)
		m.owned.prune(target, shown)
		actions := difference(target, m.owned, shown)
		if m.apply(actions, shown) {
			continue // see what became of it
		}
		m.tell(plan.Problems)
		m.syncOperators(ctx, plan.Operators, shown)
		m.settle(ctx, plan, leases, shown)
		return
	}
}

// apply returns true when something was changed. One action that fails does not keep the others from being tried.
func (m *Manager) apply(actions []Action, shown Snapshot) bool {
	changed := false
	for _, a := range actions {
		err := m.options.Backend.Apply(a)
		m.complain(a.String(), err)
		if err == nil {
			m.owned.note(a, shown)
			changed = true
		}
	}
	return changed
}

// complain says an error once, until it changes or is over.
func (m *Manager) complain(about string, err error) {
	if err == nil {
		delete(m.failures, about)
		return
	}
	if m.failures[about] != err.Error() {
		m.failures[about] = err.Error()
		m.options.Log("dodeka: network: " + about + ": " + err.Error())
	}
}

// tell says what of the configuration cannot be followed, whenever that changes.
func (m *Manager) tell(problems []string) {
	text := strings.Join(problems, "\n")
	if text == m.problems {
		return
	}
	m.problems = text
	for _, p := range problems {
		m.options.Log("dodeka: network: " + p)
	}
}
