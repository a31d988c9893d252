// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"dodeka/userland/internal/settings"
)

// Sources lists where a machine of a platform takes its configuration from after STATE, in order: the image, the URL of
// the kernel argument, a NoCloud medium, the platform's metadata. found sees all that was read, for Publish; nil is fine.
func Sources(name string, options Options, embedded string, found func(Metadata)) ([]settings.Source, error) {
	reader, err := New(name, options)
	if err != nil {
		return nil, err
	}
	options = options.complete()
	sources := []settings.Source{settings.Embedded(embedded)}
	if options.URL != "" && options.URL != "guestinfo" { // that value names the vmware reader
		byURL := source("kernel argument", metal{options}, options.URL != metalLabel, found)
		byURL.Read = limited(byURL.Read)
		sources = append(sources, byURL)
	}
	switch name {
	case "metal":
		media := options
		media.SMBIOS = func(field string) string { // a serial number of hardware is no URL to fetch from
			if field == "product_serial" {
				return ""
			}
			return options.SMBIOS(field)
		}
		sources = append(sources, source("nocloud medium", nocloud{media}, false, found))
	case "nocloud":
		remote := strings.HasPrefix(parseSerial(options.SMBIOS("product_serial"))["s"], "http")
		sources = append(sources, source("nocloud", reader, remote, found))
	case "vmware":
		sources = append(sources, source(name, reader, false, found))
	default:
		sources = append(sources, source(name, reader, true, found))
	}
	return sources, nil
}

// Describe reads what a cloud says about a machine that has its configuration already, as after a reboot: names, addresses
// and networks are kept nowhere. The configuration there is passed over. Metal has no such source: a medium that somebody
// plugs in must not change the network of a machine at work.
func Describe(ctx context.Context, name string, options Options, found func(Metadata)) error {
	if name == "metal" {
		return nil
	}
	reader, err := New(name, options)
	if err != nil {
		return err
	}
	metadata, err := reader.Read(ctx)
	if errors.Is(err, ErrNone) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("metadata of %s: %w", name, err)
	}
	metadata.Config = nil
	found(metadata)
	return nil
}

// urlPatience ends the wait for a host that never answers: other sources come after it.
const urlPatience = 5 * time.Minute

func limited(read func(context.Context) ([]byte, error)) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, urlPatience)
		defer cancel()
		return read(ctx)
	}
}

func source(name string, reader Reader, network bool, found func(Metadata)) settings.Source {
	return settings.Source{Name: name, Network: network, Read: func(ctx context.Context) ([]byte, error) {
		metadata, err := reader.Read(ctx)
		if errors.Is(err, ErrNone) {
			return nil, settings.ErrNone
		}
		if err == nil && found != nil {
			found(metadata)
		}
		return metadata.Config, err
	}}
}
