// SPDX-License-Identifier: Apache-2.0

package linkspec

import (
	"errors"
	"net/netip"

	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/nethelpers"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
)

// bondOf takes over every option of a BondConfig document.
func bondOf(d config.NetworkBondConfig) network.BondMasterSpec {
	spec := network.BondMasterSpec{
		Mode:            d.Mode(),
		HashPolicy:      d.XmitHashPolicy().ValueOrZero(),
		LACPRate:        d.LACPRate().ValueOrZero(),
		ARPValidate:     d.ARPValidate().ValueOrZero(),
		ARPAllTargets:   d.ARPAllTargets().ValueOrZero(),
		PrimaryReselect: d.PrimaryReselect().ValueOrZero(),
		FailOverMac:     d.FailOverMAC().ValueOrZero(),
		ADSelect:        d.ADSelect().ValueOrZero(),
		MIIMon:          d.MIIMon().ValueOrZero(),
		UpDelay:         d.UpDelay().ValueOrZero(),
		DownDelay:       d.DownDelay().ValueOrZero(),
		ARPInterval:     d.ARPInterval().ValueOrZero(),
		ResendIGMP:      d.ResendIGMP().ValueOrZero(),
		MinLinks:        d.MinLinks().ValueOrZero(),
		LPInterval:      d.LPInterval().ValueOrZero(),
		PacketsPerSlave: d.PacketsPerSlave().ValueOrZero(),
		NumPeerNotif:    d.NumPeerNotif().ValueOrZero(),
		TLBDynamicLB:    d.TLBDynamicLB().ValueOrZero(),
		AllSlavesActive: d.AllSlavesActive().ValueOrZero(),
		UseCarrier:      d.UseCarrier().ValueOr(true),
		ADActorSysPrio:  d.ADActorSysPrio().ValueOrZero(),
		ADUserPortKey:   d.ADUserPortKey().ValueOrZero(),
		PeerNotifyDelay: d.PeerNotifyDelay().ValueOrZero(),
		ARPIPTargets:    d.ARPIPTargets(),
		NSIP6Targets:    d.NSIP6Targets(),
		MissedMax:       d.MissedMax().ValueOrZero(),
	}
	if active, ok := d.ADLACPActive().Get(); ok {
		spec.ADLACPActive = &active
	}
	return withMonitor(spec)
}

// withMonitor gives a bond a way to see that a link died: without miimon or ARP probes it would use dead links for ever.
func withMonitor(spec network.BondMasterSpec) network.BondMasterSpec {
	const everyMillis = 100
	if spec.MIIMon == 0 && spec.ARPInterval == 0 {
		spec.MIIMon = everyMillis
	}
	return spec
}

// bondOfDevice parses the options of a bond in machine.network.interfaces, where they are words.
func bondOfDevice(d config.Bond) (network.BondMasterSpec, error) {
	spec := network.BondMasterSpec{
		MIIMon: d.MIIMon(), UpDelay: d.UpDelay(), DownDelay: d.DownDelay(), ARPInterval: d.ARPInterval(), ResendIGMP: d.ResendIGMP(),
		MinLinks: d.MinLinks(), LPInterval: d.LPInterval(), PacketsPerSlave: d.PacketsPerSlave(), NumPeerNotif: d.NumPeerNotif(),
		TLBDynamicLB: d.TLBDynamicLB(), AllSlavesActive: d.AllSlavesActive(), UseCarrier: d.UseCarrier(),
		ADActorSysPrio: d.ADActorSysPrio(), ADUserPortKey: d.ADUserPortKey(), PeerNotifyDelay: d.PeerNotifyDelay(),
	}
	var failed [9]error
	spec.Mode, failed[0] = nethelpers.BondModeByName(d.Mode())
	spec.HashPolicy, failed[1] = nethelpers.BondXmitHashPolicyByName(d.HashPolicy())
	spec.LACPRate, failed[2] = nethelpers.LACPRateByName(d.LACPRate())
	spec.ARPValidate, failed[3] = nethelpers.ARPValidateByName(d.ARPValidate())
	spec.ARPAllTargets, failed[4] = nethelpers.ARPAllTargetsByName(d.ARPAllTargets())
	spec.PrimaryReselect, failed[5] = nethelpers.PrimaryReselectByName(d.PrimaryReselect())
	spec.FailOverMac, failed[6] = nethelpers.FailOverMACByName(d.FailOverMac())
	spec.ADSelect, failed[7] = nethelpers.ADSelectByName(d.ADSelect())
	for _, text := range d.ARPIPTarget() {
		target, err := netip.ParseAddr(text)
		if err != nil {
			failed[8] = err
			continue
		}
		spec.ARPIPTargets = append(spec.ARPIPTargets, target)
	}
	return withMonitor(spec), errors.Join(failed[:]...)
}
