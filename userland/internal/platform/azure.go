// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// azure reads the instance metadata service, and the custom data from ovf-env.xml on the provisioning medium.
// Spec: learn.microsoft.com, azure/virtual-machines/instance-metadata-service. Left out: reporting to the fabric.
type azure struct{ Options }

func (a azure) Name() string { return "azure" }

type azureInstance struct {
	Compute struct {
		Name, Location, Zone, VMSize, ResourceID, EvictionPolicy, PlatformFaultDomain, UserData string
		OSProfile                                                                               struct{ ComputerName string }
	}
	Network struct {
		Interface []struct {
			IPv4, IPv6 struct {
				IPAddress []struct{ PublicIPAddress string }
			}
		}
	}
}

// Read takes custom data from the medium, or else user data from the service, as the configuration.
func (a azure) Read(ctx context.Context) (Metadata, error) {
	url := a.endpoint("http://169.254.169.254") + "/metadata/instance?api-version=2021-02-01&format=json"
	data, err := a.Fetch.get(ctx, request{url: url, header: map[string]string{"Metadata": "true"}})
	if err != nil {
		return Metadata{}.finish(a.Name()), err
	}
	var instance azureInstance
	if err := json.Unmarshal(data, &instance); err != nil {
		return Metadata{}.finish(a.Name()), fmt.Errorf("instance: %w", err)
	}
	found := instance.metadata()
	found.Config, err = a.customData(ctx)
	if err == nil && len(found.Config) == 0 && instance.Compute.UserData != "" {
		found.Config, err = decodeBase64(instance.Compute.UserData)
	}
	return found.finish(a.Name()), err
}

func (i azureInstance) metadata() Metadata {
	c := i.Compute
	found := Metadata{Hostname: cmp.Or(c.OSProfile.ComputerName, c.Name)}
	found.Facts.Region = strings.ToLower(c.Location)
	found.Facts.Zone = c.PlatformFaultDomain
	if c.Zone != "" {
		found.Facts.Zone = strings.ToLower(c.Location + "-" + c.Zone)
	}
	found.Facts.InstanceType, found.Facts.InstanceID = c.VMSize, c.ResourceID
	if c.ResourceID != "" {
		found.Facts.ProviderID = "azure://" + lowerGroup(c.ResourceID)
	}
	found.Facts.Spot = c.EvictionPolicy != ""
	var texts []string
	for _, link := range i.Network.Interface {
		for _, address := range append(link.IPv4.IPAddress, link.IPv6.IPAddress...) {
			texts = append(texts, address.PublicIPAddress)
		}
	}
	found.PublicIPs = addresses(texts...)
	return found
}

// lowerGroup writes the resource group of /subscriptions/S/resourceGroups/GROUP/... in lower case, as the cloud
// controller compares it so.
func lowerGroup(id string) string {
	parts := strings.Split(id, "/")
	for i := range parts[:len(parts)-1] {
		if strings.EqualFold(parts[i], "resourceGroups") {
			parts[i+1] = strings.ToLower(parts[i+1])
		}
	}
	return strings.Join(parts, "/")
}

func (a azure) customData(ctx context.Context) ([]byte, error) {
	volume, err := a.OpenVolume(ctx, VolumeQuery{File: "ovf-env.xml"})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer volume.Close()
	data, err := readFile(volume, "ovf-env.xml")
	if err != nil {
		return nil, err
	}
	text, err := findElement(data, "CustomData")
	if err != nil {
		return nil, fmt.Errorf("ovf-env.xml: %w", err)
	}
	return decodeBase64(text)
}

// findElement returns the text of the first element with a local name. The decoder expands no entities of the document.
func findElement(data []byte, name string) (string, error) {
	decoder := xml.NewDecoder(bytes.NewReader(data))
	for {
		token, err := decoder.Token()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return "", nil
			}
			return "", err
		}
		if start, is := token.(xml.StartElement); is && start.Name.Local == name {
			var text string
			err := decoder.DecodeElement(&text, &start)
			return strings.TrimSpace(text), err
		}
	}
}

// decodeBase64 ignores white space, which platforms add.
func decodeBase64(text string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
}
