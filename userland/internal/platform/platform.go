// SPDX-License-Identifier: Apache-2.0

// Package platform reads what a platform tells a machine about itself: its configuration, names, addresses, network.
// One file per platform; every reader is limited in bytes and time, follows no redirect to another host, uses no proxy,
// and retries until its context ends. What a metadata service says is hostile until settings has parsed it.
// Left out: platforms that are not in readers, signatures of metadata documents, network configuration of secondary
// interfaces where the platform offers DHCP for them.
package platform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"github.com/cosi-project/runtime/pkg/safe"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/runtime"
)

// MaxBytes bounds each answer; a machine configuration has the same bound.
const MaxBytes = 4 << 20

// ErrNone says that the platform has nothing of what was asked: a verdict, so nothing is retried.
var ErrNone = errors.New("the platform has none")

// Metadata is what a platform said. Every part may be empty.
type Metadata struct {
	Config    []byte // machine configuration as found, perhaps compressed with gzip
	Hostname  string
	PublicIPs []netip.Addr
	Network   *network.PlatformConfigSpec // in terms that the network manager applies; nil means DHCP everywhere
	Facts     runtime.PlatformMetadataSpec
}

// Reader asks one platform. Read waits for the network by trying again, until ctx ends; ErrNone means that the
// platform answered and has nothing.
type Reader interface {
	Name() string
	Read(ctx context.Context) (Metadata, error)
}

// Volume is a mounted, read-only file system.
type Volume interface {
	fs.StatFS
	Close() error
}

// VolumeQuery says which medium is meant: one with a label, compared without case, or one with a file in its root.
type VolumeQuery struct {
	Labels []string
	File   string
}

// Options are the ways to the outside, so that tests can stand in for them. Nil ones are taken as "there is none".
type Options struct {
	// Endpoint replaces the scheme and host of a platform's metadata service: http://127.0.0.1:1234.
	Endpoint string
	// URL is the value of the kernel argument dodeka.config or talos.config, for metal.
	URL string
	// OpenVolume mounts the first medium that fits. fs.ErrNotExist: there is none.
	OpenVolume func(ctx context.Context, query VolumeQuery) (Volume, error)
	// SMBIOS returns a field by its name in /sys/class/dmi/id: product_serial, product_uuid.
	SMBIOS func(field string) string
	// MAC and Hostname fill the variables of a URL; empty while unknown.
	MAC, Hostname func() string
	// LinkByMAC returns the name of the interface with a hardware address in lower case.
	LinkByMAC func(address string) (string, bool)
	// GuestInfo reads a VMware guestinfo variable by its name without the prefix "guestinfo.".
	GuestInfo func(ctx context.Context, name string) (string, error)
	Log       func(format string, arguments ...any)
	Fetch     Fetcher
}

var readers = map[string]func(Options) Reader{
	"metal":     func(o Options) Reader { return metal{o} },
	"nocloud":   func(o Options) Reader { return nocloud{o} },
	"aws":       func(o Options) Reader { return aws{o} },
	"gcp":       func(o Options) Reader { return gcp{o} },
	"azure":     func(o Options) Reader { return azure{o} },
	"openstack": func(o Options) Reader { return openstack{o} },
	"vmware":    func(o Options) Reader { return vmware{o} },
	"hcloud":    func(o Options) Reader { return hcloud{o} },
}

// Names lists the platforms, sorted.
func Names() []string {
	var names []string
	for name := range readers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// New returns the reader of the platform that dodeka.platform names.
func New(name string, options Options) (Reader, error) {
	make, known := readers[name]
	if !known {
		return nil, fmt.Errorf("platform %q is not one of %s", name, strings.Join(Names(), ", "))
	}
	return make(options.complete()), nil
}

func (o Options) complete() Options {
	nothing := func() string { return "" }
	if o.OpenVolume == nil {
		o.OpenVolume = func(context.Context, VolumeQuery) (Volume, error) { return nil, fs.ErrNotExist }
	}
	if o.SMBIOS == nil {
		o.SMBIOS = func(string) string { return "" }
	}
	if o.MAC == nil {
		o.MAC = nothing
	}
	if o.Hostname == nil {
		o.Hostname = nothing
	}
	if o.LinkByMAC == nil {
		o.LinkByMAC = func(string) (string, bool) { return "", false }
	}
	if o.GuestInfo == nil {
		o.GuestInfo = guestInfo
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	return o
}

// endpoint is the base of a metadata service, without a slash at the end.
func (o Options) endpoint(standard string) string {
	if o.Endpoint != "" {
		return strings.TrimSuffix(o.Endpoint, "/")
	}
	return standard
}

// Publish writes the resources by which the network manager and talosctl see a platform.
func Publish(ctx context.Context, st state.State, metadata Metadata) error {
	err := safe.StateModify(ctx, st, runtime.NewPlatformMetadataSpec(runtime.NamespaceName, runtime.PlatformMetadataID),
		func(r *runtime.PlatformMetadata) error { *r.TypedSpec() = metadata.Facts; return nil })
	if err != nil || metadata.Network == nil {
		return err
	}
	return safe.StateModify(ctx, st, network.NewPlatformConfig(network.NamespaceName, network.PlatformConfigActiveID),
		func(r *network.PlatformConfig) error { *r.TypedSpec() = *metadata.Network; return nil })
}

// finish fills in what follows from the rest.
func (m Metadata) finish(name string) Metadata {
	m.Facts.Platform = name
	m.Hostname = strings.TrimSpace(m.Hostname)
	m.Facts.Hostname = m.Hostname
	if m.Network == nil && (m.Hostname != "" || len(m.PublicIPs) > 0) {
		m.Network = &network.PlatformConfigSpec{}
	}
	if m.Network != nil {
		m.Network.ExternalIPs = m.PublicIPs
		m.Network.Metadata = &m.Facts
		m.addHostname()
	}
	return m
}

func (m *Metadata) addHostname() {
	if m.Hostname == "" {
		return
	}
	spec := network.HostnameSpecSpec{ConfigLayer: network.ConfigPlatform}
	if err := spec.ParseFQDN(m.Hostname); err == nil {
		m.Network.Hostnames = []network.HostnameSpecSpec{spec}
	}
}

// addresses parses what can be parsed: a platform that adds something new must not cost the rest.
func addresses(texts ...string) []netip.Addr {
	var all []netip.Addr
	for _, text := range texts {
		if address, err := netip.ParseAddr(strings.TrimSpace(text)); err == nil && !slices.Contains(all, address) {
			all = append(all, address)
		}
	}
	return all
}
