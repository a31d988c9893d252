// SPDX-License-Identifier: Apache-2.0

package network

import "fmt"

func sysctlKey(index uint32, path string) string { return fmt.Sprintf("%d %s", index, path) }

// note enters a change that succeeded.
func (o *owned) note(a Action, shown Snapshot) {
	switch a := a.(type) {
	case CreateLink:
		o.links[a.Spec.Name] = a.Spec
	case DeleteLink:
		delete(o.links, a.Name)
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
	for name := range o.slaves {
		if _, there := shown.Links[name]; !there {
			delete(o.slaves, name)
		}
	}
}
