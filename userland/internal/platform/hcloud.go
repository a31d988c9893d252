// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"fmt"
	"strings"
)

// hcloud reads the metadata service of Hetzner Cloud. Spec: docs.hetzner.cloud, server metadata.
type hcloud struct{ Options }

func (h hcloud) Name() string { return "hcloud" }

// Read takes userdata as the configuration; it may be base64, as the service takes text only.
func (h hcloud) Read(ctx context.Context) (Metadata, error) {
	base := h.endpoint("http://169.254.169.254") + "/hetzner/v1/"
	k := keys{h.Fetch, base + "metadata/", nil, nil}
	var found Metadata
	found.Hostname = k.text(ctx, "hostname")
	found.Facts.InstanceID, found.Facts.Zone = k.text(ctx, "instance-id"), k.text(ctx, "availability-zone")
	found.Facts.Region, _, _ = strings.Cut(found.Facts.Zone, "-") // as its cloud controller does
	if found.Facts.InstanceID != "" {
		found.Facts.ProviderID = "hcloud://" + found.Facts.InstanceID
	}
	found.PublicIPs = addresses(k.text(ctx, "public-ipv4"))
	if k.err != nil {
		return found.finish(h.Name()), k.err
	}
	text, err := optional(h.Fetch.get(ctx, request{url: base + "metadata/network-config"}))
	if err == nil && len(text) > 0 {
		found.Network, err = parseNetworkConfig(text, h.LinkByMAC)
	}
	if err != nil {
		return Metadata{}.finish(h.Name()), fmt.Errorf("network-config: %w", err)
	}
	if found.Network != nil {
		for _, address := range found.Network.Addresses {
			if address.Address.Addr().Is6() {
				found.PublicIPs = append(found.PublicIPs, address.Address.Addr())
			}
		}
	}
	user, err := optional(h.Fetch.get(ctx, request{url: base + "userdata"}))
	if decoded, failed := decodeBase64(string(user)); failed == nil {
		user = decoded
	}
	found.Config = machineConfig(user)
	return found.finish(h.Name()), err
}
