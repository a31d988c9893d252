// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"testing"

	"dodeka/userland/internal/access"
	"dodeka/userland/internal/events"
	"dodeka/userland/internal/osstate"
)

func TestEveryMethodHasRoles(t *testing.T) {
	os, err := osstate.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server := New(Parts{State: os.State, Events: events.NewStream(1)})
	known := 0
	for service, info := range server.GetServiceInfo() {
		for _, method := range info.Methods {
			known++
			roles, found := access.RolesFor("/" + service + "/" + method.Name)
			if !found || len(roles.Strings()) == 0 {
				t.Errorf("/%s/%s is missing from the table of access", service, method.Name)
			}
			if found && !roles.Includes("os:admin") {
				t.Errorf("/%s/%s is closed to administrators", service, method.Name)
			}
		}
	}
	if known != access.Methods() {
		t.Errorf("the table has %d methods, the server %d", access.Methods(), known)
	}
}
