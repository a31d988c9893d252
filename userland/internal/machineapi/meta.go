// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"
	"math"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dodeka/userland/internal/metastore"
)

// MetaWrite implements machine.MachineServiceServer.
func (a *api) MetaWrite(_ context.Context, r *machine.MetaWriteRequest) (*machine.MetaWriteResponse, error) {
	store, err := a.meta(r.Key)
	if err == nil {
		err = store.Set(uint8(r.Key), string(r.Value))
	}
	return &machine.MetaWriteResponse{Messages: []*machine.MetaWrite{{}}}, err
}

// MetaDelete implements machine.MachineServiceServer.
func (a *api) MetaDelete(_ context.Context, r *machine.MetaDeleteRequest) (*machine.MetaDeleteResponse, error) {
	store, err := a.meta(r.Key)
	if err == nil {
		err = store.Delete(uint8(r.Key))
	}
	return &machine.MetaDeleteResponse{Messages: []*machine.MetaDelete{{}}}, err
}

func (a *api) meta(key uint32) (Meta, error) {
	if key > math.MaxUint8 {
		return nil, status.Errorf(codes.InvalidArgument, "key %#x: expected 0 to 0xff", key)
	}
	if metastore.IsOwn(uint8(key)) {
		return nil, status.Errorf(codes.PermissionDenied, "key %#x: 0xd0 to 0xdf are the system's own notes; take another", key)
	}
	if a.p.Meta != nil {
		if store := a.p.Meta(); store != nil {
			return store, nil
		}
	}
	return nil, status.Error(codes.FailedPrecondition, "this machine has no META partition: it is not installed")
}
