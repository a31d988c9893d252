// SPDX-License-Identifier: Apache-2.0

package network

import (
	"fmt"
	"maps"
)

func sysctlKey(index uint32, path string) string { return fmt.Sprintf("%d %s", index, path) }

// note enters a change that succeeded.
func (o *owned) note(a Action, shown Snapshot) {
	switch a := a.(type) {
	case CreateLink:
		o.links[a.Spec.Name] = a.Spec
	case DeleteLink:
		delete(o.links, a.Name)
		delete(o.mtus, a.Name)
	case SetMTU:
		o.keepMTU(a.Name, shown)
	case SetMaster:
		o.slaves[a.Name] = true
		if a.Master == "" {
			delete(o.slaves, a.Name)
		}
	case PutAddress:
		o.addresses[addressKey(a.LinkName, a.AddressSpecSpec.Address)] = a.Address
	case DropAddress:
		delete(o.addresses, addressKey(a.Spec.LinkName, a.Spec.Address))
	case PutRoute:
		o.routes[routeKey(a.Spec)] = a.Spec
	case DropRoute:
		delete(o.routes, routeKey(a.Spec))
	case SetSysctl:
		for name, status := range shown.Links {
			if a.Path == "net/ipv6/conf/"+name+"/accept_ra" {
				o.sysctls[sysctlKey(status.Index, a.Path)] = a.Value
			}
		}
	}
}

// keepMTU remembers what a link had before the first change; a new one has had the usual size.
func (o *owned) keepMTU(name string, shown Snapshot) {
	const usual = 1500
	if _, kept := o.mtus[name]; kept {
		return
	}
	o.mtus[name] = usual
	if l, there := shown.Links[name]; there {
		o.mtus[name] = l.MTU
	}
}

// prune forgets what is neither wanted nor there: it expired, or went with its link.
func (o *owned) prune(w wanted, shown Snapshot) {
	d := differ{shown: shown}
	addresses, routes := d.shownAddresses(), d.shownRoutes()
	for key := range o.addresses {
		if _, still := w.addresses[key]; !still && !addresses[key] {
			delete(o.addresses, key)
		}
	}
	for key := range o.routes {
		_, still := w.routes[key]
		if _, there := routes[key]; !still && !there {
			delete(o.routes, key)
		}
	}
	missing := func(name string) bool { _, there := shown.Links[name]; return !there }
	maps.DeleteFunc(o.slaves, func(name string, _ bool) bool { return missing(name) })
	maps.DeleteFunc(o.mtus, func(name string, _ uint32) bool { return missing(name) })
}
