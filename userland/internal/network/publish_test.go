// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/impl/inmem"
	"github.com/cosi-project/runtime/pkg/state/impl/namespaced"
)

func TestRememberedAddressesAreBounded(t *testing.T) {
	p := publisher{state: state.WrapCore(namespaced.NewState(inmem.Build)), log: func(text string) { t.Error(text) }}
	var now []netip.Prefix
	for i := range maxRemembered + 8 {
		now = []netip.Prefix{prefix("10.0.0.1/24"), prefix(fmt.Sprintf("2001:db8::%x/64", i+1))}
		p.nodes(t.Context(), nodes{current: now, all: now})
	}
	got := p.everything(t.Context(), now)
	if len(got) != maxRemembered || !slices.Contains(got, now[0]) || !slices.Contains(got, now[1]) {
		t.Errorf("%d addresses: %v", len(got), got)
	}
}
