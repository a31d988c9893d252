// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"

	"github.com/cosi-project/runtime/pkg/controller"
	"github.com/siderolabs/talos/pkg/machinery/api/inspect"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

// edgeTypes are those that clients have names for.
var edgeTypes = map[controller.DependencyEdgeType]inspect.DependencyEdgeType{
	controller.EdgeOutputExclusive:   inspect.DependencyEdgeType_OUTPUT_EXCLUSIVE,
	controller.EdgeOutputShared:      inspect.DependencyEdgeType_OUTPUT_SHARED,
	controller.EdgeInputStrong:       inspect.DependencyEdgeType_INPUT_STRONG,
	controller.EdgeInputWeak:         inspect.DependencyEdgeType_INPUT_WEAK,
	controller.EdgeInputDestroyReady: inspect.DependencyEdgeType_INPUT_DESTROY_READY,
}

// ControllerRuntimeDependencies implements inspect.InspectServiceServer.
func (a *api) ControllerRuntimeDependencies(context.Context, *emptypb.Empty) (*inspect.ControllerRuntimeDependenciesResponse, error) {
	if a.p.Controller == nil {
		return nil, status.Error(codes.FailedPrecondition, "no controllers run")
	}
	graph, err := a.p.Controller.GetDependencyGraph()
	if err != nil {
		return nil, err
	}
	answer := &inspect.ControllerRuntimeDependency{}
	for _, edge := range graph.Edges {
		if kind, known := edgeTypes[edge.EdgeType]; known {
			answer.Edges = append(answer.Edges, &inspect.ControllerDependencyEdge{
				ControllerName: edge.ControllerName, EdgeType: kind, ResourceNamespace: edge.ResourceNamespace,
				ResourceType: edge.ResourceType, ResourceId: edge.ResourceID,
			})
		}
	}
	return &inspect.ControllerRuntimeDependenciesResponse{Messages: []*inspect.ControllerRuntimeDependency{answer}}, nil
}
