// SPDX-License-Identifier: Apache-2.0

package apiproxy

import (
	"context"
	"fmt"
	"net/netip"

	cosi "github.com/cosi-project/runtime/api/v1alpha1"
	"github.com/siderolabs/talos/pkg/machinery/api/resource/definitions/network"
	"google.golang.org/protobuf/proto"

	"dodeka/userland/internal/access"
)

// The resources that this process follows. They are read by the wire format and not through machinery's resource
// packages, which would make this program twice as big.
const (
	certificatesType = "ApiCertificates.secrets.talos.dev"
	settingsType     = "APIServiceConfigs.runtime.talos.dev"
	addressesType    = "NodeAddresses.net.talos.dev"
	hostnameType     = "HostnameStatuses.net.talos.dev"
)

type pointer struct{ namespace, kind, id string }

var followed = []pointer{
	{"secrets", certificatesType, "api"},
	{"runtime", settingsType, "apid"},
	{"network", addressesType, "current"},
	{"network", hostnameType, "hostname"},
}

// change is a new state of a resource. Without a spec it is gone, or not there yet.
type change struct {
	kind string
	spec []byte
}

// watch delivers the changes of all followed resources, the present state first. It returns when a stream ends.
func watch(ctx context.Context, client cosi.StateClient, changes chan<- change) error {
	ctx, cancel := context.WithCancel(access.AsComponent(ctx, access.APID))
	defer cancel()
	ended := make(chan error, len(followed))
	for _, p := range followed {
		go func() { ended <- p.watch(ctx, client, changes) }()
	}
	return <-ended
}

func (p pointer) watch(ctx context.Context, client cosi.StateClient, changes chan<- change) error {
	stream, err := client.Watch(ctx, &cosi.WatchRequest{
		Namespace: p.namespace, Type: p.kind, Id: &p.id, Options: &cosi.WatchOptions{}, ApiVersion: 1,
	})
	for err == nil {
		var answer *cosi.WatchResponse
		if answer, err = stream.Recv(); err != nil {
			break
		}
		for _, event := range answer.Event {
			if event.EventType == cosi.EventType_ERRORED {
				return fmt.Errorf("watch %s: %s", p.kind, event.GetError())
			}
			select {
			case changes <- p.changeOf(event):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return fmt.Errorf("watch %s: %w", p.kind, err)
}

func (p pointer) changeOf(event *cosi.Event) change {
	if event.EventType != cosi.EventType_CREATED && event.EventType != cosi.EventType_UPDATED {
		return change{kind: p.kind}
	}
	// An empty message is a spec as well.
	return change{p.kind, append([]byte{}, event.GetResource().GetSpec().GetProtoSpec()...)}
}

// decode reads a spec into a message; false when there is none.
func (c change) decode(into proto.Message) (bool, error) {
	if c.spec == nil {
		return false, nil
	}
	if err := proto.Unmarshal(c.spec, into); err != nil {
		return false, fmt.Errorf("read %s: %w", c.kind, err)
	}
	return true, nil
}

func addressesIn(spec *network.NodeAddressSpec) map[netip.Addr]bool {
	found := map[netip.Addr]bool{}
	for _, prefix := range spec.GetAddresses() {
		if ip, ok := netip.AddrFromSlice(prefix.GetIp()); ok {
			found[ip.Unmap()] = true
		}
	}
	return found
}
