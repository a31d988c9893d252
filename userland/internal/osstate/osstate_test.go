// SPDX-License-Identifier: Apache-2.0

package osstate

import (
	"testing"

	"github.com/cosi-project/runtime/pkg/resource"
	"github.com/cosi-project/runtime/pkg/resource/meta"
	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
)

func TestEveryTypeIsKnownInANamespaceThatExists(t *testing.T) {
	os, err := New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	definitions, err := safe.StateListAll[*meta.ResourceDefinition](t.Context(), os.State)
	if err != nil || definitions.Len() != len(types())+2 {
		t.Fatalf("%d definitions, want %d (%v)", definitions.Len(), len(types())+2, err)
	}
	for d := range definitions.All() {
		ns := d.TypedSpec().DefaultNamespace
		at := resource.NewMetadata(meta.NamespaceName, meta.NamespaceType, ns, resource.VersionUndefined)
		if _, err := os.State.Get(t.Context(), at); err != nil {
			t.Errorf("%s: namespace %q: %v", d.TypedSpec().Type, ns, err)
		}
	}
}

func TestStateHoldsResources(t *testing.T) {
	os, err := New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	status := runtime.NewMachineStatus()
	status.TypedSpec().Stage = runtime.MachineStageBooting
	if err := os.State.Create(t.Context(), status); err != nil {
		t.Fatal(err)
	}
	got, err := safe.StateGetByID[*runtime.MachineStatus](t.Context(), os.State, runtime.MachineStatusID)
	if err != nil || got.TypedSpec().Stage != runtime.MachineStageBooting {
		t.Errorf("got %v (%v)", got, err)
	}
}
