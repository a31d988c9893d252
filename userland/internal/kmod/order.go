// SPDX-License-Identifier: Apache-2.0

package kmod

// step is one module of a load order; an optional one may fail without stopping the rest.
type step struct {
	module   string
	optional bool
}

// order lists the modules that must be loaded for one module, each once, itself last. A cycle in a damaged index is
// cut where it closes.
func (x *Index) order(module string) []step {
	var steps []step
	seen := map[string]bool{}
	var visit func(name string, optional bool)
	visit = func(name string, optional bool) {
		if seen[name] || x.builtin[name] {
			return
		}
		seen[name] = true
		for _, want := range x.wants[name] {
			modules, _ := x.Resolve(want)
			for _, m := range modules {
				visit(m, true)
			}
		}
		for _, need := range x.needs[name] {
			visit(need, optional)
		}
		steps = append(steps, step{name, optional})
	}
	visit(canonical(module), false)
	return steps
}
