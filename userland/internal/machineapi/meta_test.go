// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"testing"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// fakeMeta keeps what it was given.
type fakeMeta map[uint8]string

func (m fakeMeta) Set(tag uint8, value string) error {
	m[tag] = value
	return nil
}

func (m fakeMeta) Delete(tag uint8) error {
	delete(m, tag)
	return nil
}

func TestNobodyWritesTheSystemsOwnNotes(t *testing.T) {
	store := fakeMeta{0xd0: "a plan", 0xdf: "more"}
	client := machine.NewMachineServiceClient(connected(t, Parts{Meta: func() Meta { return store }}))
	for key, want := range map[uint32]codes.Code{
		0x0a: codes.OK, 0xcf: codes.OK, 0xd0: codes.PermissionDenied, 0xd1: codes.PermissionDenied, 0xdf: codes.PermissionDenied,
		0xe0: codes.OK, 0x1d0: codes.InvalidArgument,
	} {
		_, write := client.MetaWrite(t.Context(), &machine.MetaWriteRequest{Key: key, Value: []byte("x")})
		_, remove := client.MetaDelete(t.Context(), &machine.MetaDeleteRequest{Key: key})
		if status.Code(write) != want || status.Code(remove) != want {
			t.Errorf("%#x: %v, %v", key, write, remove)
		}
	}
	if len(store) != 2 || store[0xd0] != "a plan" {
		t.Errorf("META holds %q", store)
	}
}
