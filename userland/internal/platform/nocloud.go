// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"dodeka/userland/internal/yamltree"
)

// nocloud reads the datasource of the same name of cloud-init: files on a medium with the label CIDATA, or below a URL
// that the SMBIOS serial number gives as ds=nocloud;s=URL. Spec: cloudinit.readthedocs.io, datasources/nocloud.
// Left out: vendor-data; cloud-config in user-data, which is for another kind of OS.
type nocloud struct{ Options }

func (n nocloud) Name() string { return "nocloud" }

var nocloudFiles = [3]string{"meta-data", "user-data", "network-config"}

// seed is the raw content of one source.
type seed struct{ meta, user, network []byte }

// Read takes the URL when there is one, otherwise the medium.
func (n nocloud) Read(ctx context.Context) (Metadata, error) {
	hints := parseSerial(n.SMBIOS("product_serial"))
	var files seed
	var err error
	if base := hints["s"]; strings.HasPrefix(base, "http") {
		files, err = n.fromURL(ctx, base)
	} else {
		files, err = n.fromVolume(ctx)
	}
	if err != nil {
		return Metadata{}.finish(n.Name()), err
	}
	found, err := n.interpret(files, hints)
	if err != nil {
		return Metadata{}.finish(n.Name()), err
	}
	return found.finish(n.Name()), nil
}

// parseSerial reads ds=nocloud;s=http://host/dir/;h=hostname;i=instance. Without ds=nocloud it is a serial number.
func parseSerial(serial string) map[string]string {
	hints := map[string]string{}
	for part := range strings.SplitSeq(serial, ";") {
		if key, value, found := strings.Cut(strings.TrimSpace(part), "="); found {
			hints[key] = value
		}
	}
	if ds := hints["ds"]; ds != "nocloud" && ds != "nocloud-net" {
		return nil
	}
	return hints
}

func (n nocloud) fromURL(ctx context.Context, base string) (seed, error) {
	if u, err := url.Parse(base); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return seed{}, fmt.Errorf("the serial number of the machine gives a URL that cannot be read")
	}
	base = strings.TrimSuffix(base, "/") + "/"
	return collect(nocloudFiles, func(name string) ([]byte, error) { return n.Fetch.get(ctx, request{url: base + name}) })
}

func (n nocloud) fromVolume(ctx context.Context) (seed, error) {
	volume, err := n.OpenVolume(ctx, VolumeQuery{Labels: []string{"cidata"}})
	if errors.Is(err, fs.ErrNotExist) {
		return seed{}, ErrNone
	}
	if err != nil {
		return seed{}, err
	}
	defer volume.Close()
	return collect(nocloudFiles, func(name string) ([]byte, error) { return readFile(volume, name) })
}

// collect reads the files of a source by their names; those that are not there stay empty.
func collect(names [3]string, read func(name string) ([]byte, error)) (files seed, err error) {
	for i, into := range []*[]byte{&files.meta, &files.user, &files.network} {
		if *into, err = optional(read(names[i])); err != nil {
			return seed{}, err
		}
	}
	return files, nil
}

// identity is meta-data; user-data may have the names too.
type identity struct {
	Hostname     string `yaml:"hostname"`
	Local        string `yaml:"local-hostname"`
	Public       string `yaml:"public-hostname"`
	InstanceID   string `yaml:"instance-id"`
	InstanceType string `yaml:"instance-type"`
	ProviderID   string `yaml:"provider-id"`
	Region       string `yaml:"region"`
	Zone         string `yaml:"zone"`
}

func (n nocloud) interpret(files seed, hints map[string]string) (Metadata, error) {
	var id identity
	if err := decodeYAML(files.meta, &id); err != nil {
		return Metadata{}, fmt.Errorf("meta-data: %w", err)
	}
	found := Metadata{Config: machineConfig(files.user)}
	found.Hostname = cmp.Or(hints["h"], id.Hostname, id.Local)
	found.Facts.InstanceID = cmp.Or(hints["i"], id.InstanceID)
	found.Facts.InstanceType, found.Facts.ProviderID = id.InstanceType, id.ProviderID
	found.Facts.Region, found.Facts.Zone = id.Region, id.Zone
	found.Facts.InternalDNS, found.Facts.ExternalDNS = id.Local, id.Public
	if len(bytes.TrimSpace(files.network)) > 0 {
		spec, err := parseNetworkConfig(files.network, n.LinkByMAC)
		if err != nil {
			return Metadata{}, fmt.Errorf("network-config: %w", err)
		}
		found.Network = spec
	}
	return found, nil
}

// machineConfig is user-data unless it is meant for cloud-init: a cloud-config, a script, or a MIME archive.
func machineConfig(user []byte) []byte {
	first, _, _ := bytes.Cut(bytes.TrimSpace(user), []byte("\n"))
	for _, other := range []string{"#cloud-config", "#cloud-boothook", "#include", "#!", "#part-handler", "## template:", "Content-Type:", "MIME-Version:"} {
		if bytes.HasPrefix(first, []byte(other)) {
			return nil
		}
	}
	return user
}

var errNoMapping = errors.New("expected fields and values")

// decodeYAML decodes the first document into a struct; other fields are left out, as platforms add some.
func decodeYAML(data []byte, into any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("yaml: %v", p)
		}
	}()
	roots, err := yamltree.Parse(data)
	if err != nil || len(roots) == 0 {
		return err
	}
	if roots[0].Kind != yaml.MappingNode {
		return errNoMapping
	}
	return roots[0].Decode(into)
}
