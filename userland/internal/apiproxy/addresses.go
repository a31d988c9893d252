// SPDX-License-Identifier: Apache-2.0

package apiproxy

import (
	"net/netip"
	"strings"
	"sync"

	"github.com/siderolabs/talos/pkg/machinery/api/resource/definitions/network"
)

// addresses knows under which names this machine is called.
type addresses struct {
	mu    sync.Mutex
	ips   map[netip.Addr]bool
	names map[string]bool
}

func (a *addresses) setAddresses(spec *network.NodeAddressSpec) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ips = addressesIn(spec)
}

func (a *addresses) setName(spec *network.HostnameStatusSpec) {
	a.mu.Lock()
	defer a.mu.Unlock()
	full := strings.TrimSuffix(spec.GetHostname()+"."+spec.GetDomainname(), ".")
	a.names = map[string]bool{spec.GetHostname(): true, full: true}
	delete(a.names, "")
}

// has tells whether a target of a call is this machine.
func (a *addresses) has(target string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ip, err := netip.ParseAddr(target); err == nil {
		return ip.IsLoopback() || a.ips[ip.Unmap()]
	}
	return target == "localhost" || a.names[target]
}
