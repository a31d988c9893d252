// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"context"
	"encoding/hex"
	"net"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/nethelpers"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"

	"dodeka/userland/internal/dhcp4"
	"dodeka/userland/internal/dhcp6"
	"dodeka/userland/internal/linkspec"
)

// grace is how long a link may lose its carrier before its leases are dropped: a switch that restarts its port, or a
// plug that is moved, shall not cost every connection.
const grace = 5 * time.Second

// operator runs a DHCP client on one link while that has a carrier.
type operator struct {
	id      string
	spec    network.OperatorSpecSpec
	mac     net.HardwareAddr
	index   uint32
	manager *Manager
	carrier chan bool // holds the newest state only
	cancel  context.CancelFunc
	done    chan struct{}
	had     *bool // the state that was sent last; owned by the manager

	last4 *dhcp4.Lease // owned by run and the client that it waits for, as is the next
	last6 *dhcp6.Lease
}

// syncOperators starts, stops and informs the clients. One whose link is not there, or is another by now, is stopped.
func (m *Manager) syncOperators(ctx context.Context, specs []network.OperatorSpecSpec, shown Snapshot) {
	kept := map[string]bool{}
	for _, spec := range specs {
		link, there := shown.Links[spec.LinkName]
		if !there || len(link.HardwareAddr) == 0 {
			continue
		}
		id := network.OperatorID(spec)
		o := m.operators[id]
		if o != nil && (!o.spec.Equal(spec) || o.index != link.Index || !bytes.Equal(o.mac, link.HardwareAddr)) {
			m.stopOperator(id)
			o = nil
		}
		if o == nil {
			o = m.startOperator(ctx, id, spec, link)
		}
		kept[id] = true
		o.setCarrier(hasCarrier(link))
	}
	for id := range m.operators {
		if !kept[id] {
			m.stopOperator(id)
		}
	}
}

func (m *Manager) startOperator(parent context.Context, id string, spec network.OperatorSpecSpec, link network.LinkStatusSpec) *operator {
	ctx, cancel := context.WithCancel(parent)
	o := &operator{
		id: id, spec: spec, mac: net.HardwareAddr(bytes.Clone(link.HardwareAddr)), index: link.Index, manager: m,
		carrier: make(chan bool, 1), cancel: cancel, done: make(chan struct{}),
	}
	m.operators[id] = o
	m.options.Go("network", func() { defer close(o.done); o.run(ctx) })
	return o
}

func (m *Manager) stopOperator(id string) {
	o := m.operators[id]
	delete(m.operators, id)
	o.cancel()
	<-o.done
	m.setLease(id, nil)
}

// stopOperators ends the clients when the machine goes down; their leases stay in the kernel.
func (m *Manager) stopOperators() {
	for _, o := range m.operators {
		o.cancel()
		<-o.done
	}
}

// setCarrier passes a change on. Only the manager calls it.
func (o *operator) setCarrier(has bool) {
	if o.had != nil && *o.had == has {
		return
	}
	o.had = &has
	select {
	case <-o.carrier: // an older state that nobody read
	default:
	}
	o.carrier <- has
}

// run starts a client when the carrier comes, and drops the lease when it is gone for longer than the grace time.
func (o *operator) run(ctx context.Context) {
	stop := func() {}
	defer func() { stop() }()
	var expired <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case has := <-o.carrier:
			stop()
			stop = func() {}
			if has {
				expired = nil
				stop = o.begin(ctx)
			} else {
				expired = time.After(grace)
			}
		case <-expired:
			expired, o.last4, o.last6 = nil, nil, nil
			o.manager.setLease(o.id, nil)
		}
	}
}

// begin runs a client in the background until the returned function is called, which waits for its end.
func (o *operator) begin(parent context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(parent)
	done := make(chan struct{})
	o.manager.options.Go("network", func() {
		defer close(done)
		if o.spec.Operator == network.OperatorDHCP6 {
			o.client6().Run(ctx)
			return
		}
		o.client4().Run(ctx)
	})
	return func() {
		cancel()
		<-done
	}
}

func (o *operator) log(text string) {
	o.manager.options.Log("dodeka: network " + o.spec.LinkName + ": " + text)
}

func (o *operator) client4() *dhcp4.Client {
	return &dhcp4.Client{
		MAC: o.mac, ID: clientID(o.spec.DHCP4.ClientIdentifier, o.mac), Hostname: o.manager.Hostname,
		SkipHostname: o.spec.DHCP4.SkipHostnameRequest, Previous: o.last4,
		Open: o.manager.options.Backend.Dial4(o.spec.LinkName, o.mac), Log: o.log,
		Report: func(held *dhcp4.Lease) {
			o.last4 = held
			if held == nil {
				o.manager.setLease(o.id, nil)
				return
			}
			l := leaseOf4(o.spec, held)
			o.manager.setLease(o.id, &l)
		},
	}
}

func (o *operator) client6() *dhcp6.Client {
	identity := o.manager.options.Backend.Identity()
	if !linkspec.MeaningfulUUID(identity.UUID) {
		identity.UUID = "" // a server would give all such machines one address
	}
	duid := dhcp6.MachineDUID(identity.UUID, identity.MAC)
	if text := o.spec.DHCP6.ClientIdentifier.DUIDRawHex; text != "" {
		if given, err := dhcp6.ParseDUID(text); err == nil {
			duid = given
		} else {
			o.log(err.Error())
		}
	}
	return &dhcp6.Client{
		MAC: o.mac, DUID: duid, Previous: o.last6, Open: o.manager.options.Backend.Dial6(o.spec.LinkName, o.mac), Log: o.log,
		Report: func(held *dhcp6.Lease) {
			o.last6 = held
			if held == nil {
				o.manager.setLease(o.id, nil)
				return
			}
			l := leaseOf6(o.spec, held)
			o.manager.setLease(o.id, &l)
		},
	}
}

// clientID is option 61 as the configuration asks for it; nil leaves it out.
func clientID(spec network.ClientIdentifierSpec, mac net.HardwareAddr) []byte {
	switch spec.ClientIdentifier {
	case nethelpers.ClientIdentifierMAC:
		return dhcp4.HardwareID(mac)
	case nethelpers.ClientIdentifierDUID:
		if duid, err := hex.DecodeString(spec.DUIDRawHex); err == nil && len(duid) > 0 {
			return dhcp4.NodeID(mac, duid)
		}
	}
	return nil
}
