// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	configresource "github.com/siderolabs/talos/pkg/machinery/resources/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
)

// TestRunSettlesAfterEverythingAtOnce pulls cables and changes the configuration while others ask.
func TestRunSettlesAfterEverythingAtOnce(t *testing.T) {
	const rounds = 40
	f := newFake("a", "b")
	f.server = true
	run(t, f, func(m *machine) {
		var all sync.WaitGroup
		often := func(pause time.Duration, do func(round int)) {
			all.Go(func() {
				for round := range rounds {
					do(round)
					time.Sleep(pause)
				}
			})
		}
		often(31*time.Millisecond, func(round int) { f.setCarrier("a", round%2 == 1) })
		often(67*time.Millisecond, func(round int) { f.setCarrier("b", round%2 == 1) })
		often(83*time.Millisecond, m.reconfigure)
		for range 2 {
			often(29*time.Millisecond, m.ask)
		}
		all.Wait()
		m.settleFor(2 * grace)
		got := m.addresses()
		slices.Sort(got)
		if want := []string{"a 10.0.2.15/24", "b 10.0.2.15/24"}; !slices.Equal(got, want) {
			t.Errorf("addresses %q, want %q", got, want)
		}
		m.expectFile("hostname", "leased\n")
	})
}

// reconfigure gives the machine a configuration in even rounds, and takes it away in odd ones.
func (m *machine) reconfigure(round int) {
	text := fmt.Sprintf(kind+"LinkConfig\nname: a\nmtu: 1300\naddresses: [{address: 10.0.0.%d/24}]\n---\n"+kind+"HostnameConfig\nhostname: own\n", round+1)
	provider, err := configloader.NewFromBytes([]byte(text))
	if err == nil && round%2 == 0 {
		err = m.state.Create(context.Background(), configresource.NewMachineConfig(provider))
	} else if err == nil {
		err = m.state.Destroy(context.Background(), configresource.NewMachineConfig(nil).Metadata())
	}
	if err != nil {
		m.t.Error(err)
	}
}

// ask reads what the machine and its API read.
func (m *machine) ask(int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_ = m.WaitReady(ctx)
	if name := m.Hostname(); name == "" || m.Physical() != 2 {
		m.t.Errorf("host name %q, %d links", name, m.Physical())
	}
	links, err := safe.StateListAll[*network.LinkStatus](context.Background(), m.state)
	if err != nil || links.Len() != 3 {
		m.t.Errorf("%d links, %v", links.Len(), err)
	}
}
