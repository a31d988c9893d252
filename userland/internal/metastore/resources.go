// SPDX-License-Identifier: Apache-2.0

package metastore

import (
	"context"
	"maps"
	"slices"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
)

// Publish makes the MetaKey resources equal to the store.
func (s *Store) Publish(ctx context.Context, st state.State) error {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	all := s.All()
	have, err := safe.StateListAll[*runtime.MetaKey](ctx, st)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, tag := range slices.Sorted(maps.Keys(all)) {
		resource := runtime.NewMetaKey(runtime.NamespaceName, runtime.MetaKeyTagToID(tag))
		wanted[resource.Metadata().ID()] = true
		err := safe.StateModify(ctx, st, resource, func(r *runtime.MetaKey) error {
			r.TypedSpec().Value = all[tag]
			return nil
		})
		if err != nil {
			return err
		}
	}
	for old := range have.All() {
		if !wanted[old.Metadata().ID()] {
			if err := st.Destroy(ctx, old.Metadata()); err != nil && !state.IsNotFoundError(err) {
				return err
			}
		}
	}
	return nil
}
