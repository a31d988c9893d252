// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"dodeka/userland/internal/events"
)

// eventType is the prefix of type URLs that clients know.
const eventType = "talos/runtime/"

// Events implements machine.MachineServiceServer. The first message is empty: it tells the client that the watch has
// begun and that nothing after it is missed.
func (a *api) Events(r *machine.EventsRequest, stream grpc.ServerStreamingServer[machine.Event]) error {
	seen, err := a.p.Events.Watch(stream.Context(), events.WatchOptions{
		TailEvents: int(r.TailEvents), TailID: r.TailId, TailSeconds: int(r.TailSeconds), Actor: r.WithActorId,
	})
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	if err := stream.Send(&machine.Event{Data: &anypb.Any{}, ActorId: r.WithActorId}); err != nil {
		return err
	}
	for event := range seen {
		message, err := encodeEvent(event)
		if err != nil {
			return err
		}
		if err := stream.Send(message); err != nil {
			return err
		}
	}
	if err := stream.Context().Err(); err != nil {
		return status.FromContextError(err).Err()
	}
	return status.Error(codes.ResourceExhausted, events.ErrSlow.Error())
}

func encodeEvent(event events.Event) (*machine.Event, error) {
	value, err := proto.Marshal(event.Payload)
	if err != nil {
		return nil, err
	}
	name := string(event.Payload.ProtoReflect().Descriptor().FullName())
	return &machine.Event{
		Id: event.ID, ActorId: event.ActorID, Data: &anypb.Any{TypeUrl: eventType + name, Value: value},
	}, nil
}
