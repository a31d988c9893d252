// SPDX-License-Identifier: Apache-2.0

package hostrun

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/client"
	"github.com/siderolabs/talos/pkg/machinery/resources/config"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/role"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	rounds   = 12 // of each client
	lastWord = "that was all"
	lastMTU  = 1400
)

// crowd are clients of one machine, each in a goroutine of its own.
type crowd struct {
	*testing.T
	sync.WaitGroup
	c cluster
	h *Host
}

func TestManyClientsAtOnce(t *testing.T) {
	c := newCluster(t)
	w := &crowd{T: t, c: c, h: start(t, Options{Config: c.config})}
	said, happened, seen := w.followLog(), w.followEvents(), w.watchLink()
	for range 2 {
		w.often(role.Admin, w.apply, codes.OK, codes.FailedPrecondition) // the second while another one is applied
		w.often(role.Admin, w.readConfiguration, codes.OK)
		w.often(role.Operator, restart, codes.OK)
		w.often(role.Reader, list, codes.OK)
	}
	w.Go(func() {
		for round := range rounds {
			w.changeLink(round)
		}
	})
	w.Wait()
	w.applyLast()
	w.changeLink(lastMTU)
	<-seen
	if err := w.h.Services.Stop(t.Context(), sampleService); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(w.h.Logs.Writer(sampleService), lastWord)
	w.h.Events.Publish("", &machine.SequenceEvent{Sequence: lastWord})
	if lines, starts := <-said, <-happened; lines != starts || starts < 2 {
		t.Errorf("%d starts in the log, %d in the events", lines, starts)
	}
	w.endOnce()
}

// often has a new client make a call again and again. Every answer must have one of the codes.
func (w *crowd) often(who role.Role, call func(context.Context, *client.Client, int) error, want ...codes.Code) {
	caller := w.c.clientOf(w.T, w.h, time.Hour, who)
	w.Go(func() {
		for round := range rounds {
			if err := call(w.Context(), caller, round); !slices.Contains(want, client.StatusCode(err)) {
				w.Errorf("round %d of a client that is %s: %v", round, who, err)
			}
		}
	})
}

func (w *crowd) withMTU(mtu int) []byte {
	return fmt.Appendf(slices.Clone(w.c.config), "\n---\napiVersion: v1alpha1\nkind: LinkConfig\nname: lan\nmtu: %d\n", mtu)
}

func (w *crowd) apply(ctx context.Context, caller *client.Client, round int) error {
	modes := []machine.ApplyConfigurationRequest_Mode{
		machine.ApplyConfigurationRequest_AUTO, machine.ApplyConfigurationRequest_TRY, machine.ApplyConfigurationRequest_STAGED,
	}
	_, err := caller.ApplyConfiguration(ctx, &machine.ApplyConfigurationRequest{
		Data: w.withMTU(1300 + round), Mode: modes[round%len(modes)], DryRun: round%4 == 3, TryModeTimeout: durationpb.New(10 * time.Millisecond),
	})
	return err
}

// applyLast applies once more when nobody else does, except for a try that reverts by itself.
func (w *crowd) applyLast() {
	admin := w.c.clientOf(w.T, w.h, time.Hour, role.Admin)
	last := &machine.ApplyConfigurationRequest{Data: w.withMTU(lastMTU), Mode: machine.ApplyConfigurationRequest_AUTO}
	_, err := admin.ApplyConfiguration(w.Context(), last)
	for client.StatusCode(err) == codes.FailedPrecondition {
		_, err = admin.ApplyConfiguration(w.Context(), last)
	}
	if err != nil {
		w.Fatal(err)
	}
	for _, id := range []string{config.ActiveID, config.PersistentID} {
		held, err := safe.StateGetByID[*config.MachineConfig](w.Context(), w.h.OS.State, id)
		if err != nil {
			w.Fatal(err)
		}
		if text, err := held.Provider().EncodeString(); err != nil || !strings.Contains(text, fmt.Sprint("mtu: ", lastMTU)) {
			w.Errorf("configuration %q is not the last one: %v", id, err)
		}
	}
}

func (w *crowd) readConfiguration(ctx context.Context, caller *client.Client, _ int) error {
	_, err := safe.StateGetByID[*config.MachineConfig](ctx, caller.COSI, config.ActiveID)
	return err
}

func restart(ctx context.Context, caller *client.Client, _ int) error {
	_, err := caller.ServiceRestart(ctx, sampleService)
	return err
}

func list(ctx context.Context, caller *client.Client, _ int) error {
	if _, err := caller.ServiceList(ctx); err != nil {
		return err
	}
	_, err := caller.Version(client.WithNodes(ctx, "127.0.0.1"))
	return err
}

// changeLink is what a driver's notice leads to. The new address makes the machine's certificates anew.
func (w *crowd) changeLink(mtu int) {
	ctx, resources := w.Context(), w.h.OS.State
	err := safe.StateModify(ctx, resources, network.NewLinkStatus(network.NamespaceName, "lan"), func(l *network.LinkStatus) error {
		l.TypedSpec().MTU = uint32(mtu)
		return nil
	})
	if err == nil {
		current := network.NewNodeAddress(network.NamespaceName, network.NodeAddressCurrentID)
		err = safe.StateModify(ctx, resources, current, func(a *network.NodeAddress) error {
			a.TypedSpec().Addresses = []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(mtu)}), 24)}
			return nil
		})
	}
	if err != nil {
		w.Error(err)
	}
	time.Sleep(10 * time.Millisecond)
}

// watchLink waits for the last MTU.
func (w *crowd) watchLink() <-chan struct{} {
	events, seen := make(chan state.Event), make(chan struct{})
	reader := w.c.clientOf(w.T, w.h, time.Hour, role.Reader)
	if err := reader.COSI.Watch(w.Context(), network.NewLinkStatus(network.NamespaceName, "lan").Metadata(), events); err != nil {
		w.Fatal(err)
	}
	go func() {
		defer close(seen)
		for event := range events {
			if event.Type == state.Errored {
				w.Error(event.Error)
				return
			}
			if link, ok := event.Resource.(*network.LinkStatus); ok && link.TypedSpec().MTU == lastMTU {
				return
			}
		}
	}()
	return seen
}

// followLog counts the starts of the sample in its log.
func (w *crowd) followLog() <-chan int {
	reader := w.c.clientOf(w.T, w.h, time.Hour, role.Reader)
	stream, err := reader.Logs(w.Context(), "system", common.ContainerDriver_CONTAINERD, sampleService, true, -1)
	if err != nil {
		w.Fatal(err)
	}
	text, err := client.ReadStream(stream)
	if err != nil {
		w.Fatal(err)
	}
	counted := make(chan int, 1)
	go func() {
		count := 0
		for lines := bufio.NewScanner(text); lines.Scan() && lines.Text() != lastWord; {
			if lines.Text() == "sample started" {
				count++
			}
		}
		counted <- count
	}()
	return counted
}

// followEvents counts the starts of the sample, and checks the order.
func (w *crowd) followEvents() <-chan int {
	events, counted := make(chan client.EventResult), make(chan int, 1)
	reader := w.c.clientOf(w.T, w.h, time.Hour, role.Reader)
	if err := reader.EventsWatchV2(w.Context(), events, client.WithTailEvents(-1)); err != nil {
		w.Fatal(err)
	}
	go func() {
		count, last := 0, ""
		defer func() { counted <- count }()
		for result := range events {
			if result.Error != nil {
				w.Error(result.Error)
				return
			}
			if result.Event.ID <= last {
				w.Errorf("event %q after %q", result.Event.ID, last)
			}
			last = result.Event.ID
			switch e := result.Event.Payload.(type) {
			case *machine.SequenceEvent:
				return
			case *machine.ServiceStateEvent:
				if e.Service == sampleService && e.Message == "Started" {
					count++
				}
			}
		}
	}()
	return counted
}

// endOnce has everybody ask for the end of the run: one of them gets it.
func (w *crowd) endOnce() {
	asks := []func(*client.Client) error{
		func(c *client.Client) error { return c.Reboot(w.Context()) },
		func(c *client.Client) error { return c.Shutdown(w.Context()) },
		func(c *client.Client) error { return c.Reset(w.Context(), true, true) },
	}
	var granted atomic.Int32
	for i := range 2 * len(asks) {
		admin := w.c.clientOf(w.T, w.h, time.Hour, role.Admin)
		w.Go(func() {
			switch err := asks[i%len(asks)](admin); client.StatusCode(err) {
			case codes.OK:
				granted.Add(1)
			case codes.FailedPrecondition:
			default:
				w.Error(err)
			}
		})
	}
	w.Wait()
	if granted.Load() != 1 {
		w.Errorf("%d ends of the run were granted", granted.Load())
	}
	<-w.h.Desk.Requests()
}
