// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/resources/network"

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
		if m.dropDefaults(shown) {
			continue
		}
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

// dropDefaults removes what built-in drivers made before anybody asked: an empty bond0, dummy0, ifb0 and ifb1. It does so
// at the first look only, when nobody else can have made them.
func (m *Manager) dropDefaults(shown Snapshot) bool {
	if m.looked {
		return false
	}
	m.looked = true
	var actions []Action
	for _, name := range slices.Sorted(maps.Keys(shown.Links)) {
		l := shown.Links[name]
		if slices.Contains(defaultKinds, l.Kind) && !isUp(l) {
			actions = append(actions, DeleteLink{name})
		}
	}
	return m.apply(actions, shown)
}

// defaultKinds are links that drivers make at their start: Linux drivers/net/bonding/bond_main.c (max_bonds), dummy.c
// (numdummies), ifb.c (numifbs).
var defaultKinds = []string{network.LinkKindBond, linkspec.KindDummy, "ifb"}

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
