// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
)

func TestServicesThatNobodyCanDoWithoutMustBeWell(t *testing.T) {
	service := func(id, state string, healthy bool) *machine.ServiceInfo {
		return &machine.ServiceInfo{Id: id, State: state, Health: &machine.ServiceHealth{Healthy: healthy, Unknown: !healthy}}
	}
	apid, containerd := service("apid", "Running", true), service("containerd", "Running", true)
	for name, tc := range map[string]struct {
		list []*machine.ServiceInfo
		want string
	}{
		"well":                      {[]*machine.ServiceInfo{apid, containerd, service("trustd", "Waiting", false)}, ""},
		"with a kubelet":            {[]*machine.ServiceInfo{apid, containerd, service("kubelet", "Running", true)}, ""},
		"apid ends at once":         {[]*machine.ServiceInfo{service("apid", "Waiting", false), containerd}, "services: apid is not well"},
		"apid is not asked yet":     {[]*machine.ServiceInfo{service("apid", "Running", false), containerd}, "services: apid is not well"},
		"no apid":                   {[]*machine.ServiceInfo{containerd}, "services: apid is not well"},
		"containerd is not started": {[]*machine.ServiceInfo{apid, service("containerd", "Initialized", false)}, "services: containerd is not well"},
		"the kubelet ends":          {[]*machine.ServiceInfo{apid, containerd, service("kubelet", "Preparing", false)}, "services: kubelet is not well"},
	} {
		if got := illService(tc.list); got != tc.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
