// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"path"
	"strings"
)

// gcp reads the metadata server. Spec: cloud.google.com/compute/docs/metadata. The address, not the name, is asked:
// the name needs a resolver, and a resolver could lie.
type gcp struct{ Options }

func (g gcp) Name() string { return "gcp" }

type gcpInstance struct {
	ID          json.Number `json:"id"`
	Name        string      `json:"name"`
	Hostname    string      `json:"hostname"`
	MachineType string      `json:"machineType"`
	Zone        string      `json:"zone"`
	Scheduling  struct {
		Preemptible string `json:"preemptible"`
	} `json:"scheduling"`
	Attributes struct {
		UserData string `json:"user-data"`
	} `json:"attributes"`
	Interfaces []struct {
		IPv6   []string `json:"ipv6"`
		Access []struct {
			ExternalIP string `json:"externalIp"`
		} `json:"accessConfigs"`
	} `json:"networkInterfaces"`
}

// Read takes the attribute user-data as the configuration.
func (g gcp) Read(ctx context.Context) (Metadata, error) {
	base := g.endpoint("http://169.254.169.254") + "/computeMetadata/v1/"
	header := map[string]string{"Metadata-Flavor": "Google"}
	data, err := g.Fetch.get(ctx, request{url: base + "instance/?recursive=true&alt=json", header: header})
	if err != nil {
		return Metadata{}.finish(g.Name()), err
	}
	var instance gcpInstance
	if err := json.Unmarshal(data, &instance); err != nil {
		return Metadata{}.finish(g.Name()), fmt.Errorf("instance: %w", err)
	}
	k := keys{g.Fetch, base, header, nil}
	project := k.text(ctx, "project/project-id")
	if k.err != nil {
		return Metadata{}.finish(g.Name()), k.err
	}
	found := Metadata{Hostname: instance.Hostname, Config: []byte(instance.Attributes.UserData)}
	found.Facts.InstanceID = instance.ID.String()
	found.Facts.InstanceType = lastPart(instance.MachineType)
	found.Facts.Zone = lastPart(instance.Zone)
	found.Facts.Region = found.Facts.Zone
	if cut := strings.LastIndexByte(found.Facts.Zone, '-'); cut > 0 {
		found.Facts.Region = found.Facts.Zone[:cut]
	}
	found.Facts.ProviderID = fmt.Sprintf("gce://%s/%s/%s", project, found.Facts.Zone, instance.Name)
	found.Facts.Spot = strings.EqualFold(instance.Scheduling.Preemptible, "true")
	found.PublicIPs = instance.publicIPs()
	return found.finish(g.Name()), nil
}

func (i gcpInstance) publicIPs() []netip.Addr {
	var texts []string
	for _, link := range i.Interfaces {
		for _, access := range link.Access {
			texts = append(texts, access.ExternalIP)
		}
		texts = append(texts, link.IPv6...)
	}
	return addresses(texts...)
}

// lastPart is the last part of projects/1/zones/europe-west1-b; empty stays empty.
func lastPart(text string) string {
	if text == "" {
		return ""
	}
	return path.Base(text)
}
