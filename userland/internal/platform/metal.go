// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"strings"
)

const metalLabel = "metal-iso" // the medium that talos.config=metal-iso means

// metal takes a configuration from the URL of the kernel argument, which the signed UKI covers, or from a medium.
type metal struct{ Options }

func (m metal) Name() string { return "metal" }

// Read fetches the URL with its variables replaced.
func (m metal) Read(ctx context.Context) (Metadata, error) {
	found := Metadata{}
	found.Facts.InstanceID = m.SMBIOS("product_uuid")
	var err error
	switch m.URL {
	case "":
		err = ErrNone
	case metalLabel:
		err = m.readVolume(ctx, &found)
	default:
		var address string
		if address, err = m.expand(m.URL); err == nil {
			m.Log("fetching the configuration from %s", shown(address))
			found.Config, err = m.Fetch.get(ctx, request{url: address})
		}
	}
	return found.finish(m.Name()), err
}

func (m metal) readVolume(ctx context.Context, found *Metadata) error {
	volume, err := m.OpenVolume(ctx, VolumeQuery{Labels: []string{metalLabel}})
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNone
	}
	if err != nil {
		return err
	}
	defer volume.Close()
	found.Config, err = readFile(volume, "config.yaml")
	return err
}

// expand replaces ${uuid}, ${serial}, ${mac} and ${hostname} in path and query, escaped for the place. In the host
// they are refused: the firmware's texts must not choose who configures the machine.
func (m metal) expand(text string) (string, error) {
	values := map[string]func() string{
		"uuid":     func() string { return strings.ToLower(m.SMBIOS("product_uuid")) },
		"serial":   func() string { return m.SMBIOS("product_serial") },
		"mac":      m.MAC,
		"hostname": m.Hostname,
	}
	head, query, hasQuery := strings.Cut(text, "?")
	scheme, rest, _ := strings.Cut(head, "://")
	host, path, hasPath := strings.Cut(rest, "/")
	if scheme != "http" && scheme != "https" || host == "" || strings.Contains(host, "$") {
		return "", fmt.Errorf("the URL of the configuration must begin with http://HOST or https://HOST, without variables there: %q", shown(text))
	}
	path, err := replace(path, values, url.PathEscape)
	if err != nil {
		return "", err
	}
	query, err = replace(query, values, url.QueryEscape)
	if err != nil {
		return "", err
	}
	address := scheme + "://" + host
	if hasPath {
		address += "/" + path
	}
	if hasQuery {
		address += "?" + query
	}
	_, err = url.Parse(address)
	return address, err
}

func replace(text string, values map[string]func() string, escape func(string) string) (string, error) {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "${")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name, rest, closed := strings.Cut(after, "}")
		value, known := values[name]
		if !closed || !known {
			return "", fmt.Errorf("the URL of the configuration has the variable %q, expected uuid, serial, mac or hostname", name)
		}
		out.WriteString(escape(value()))
		text = rest
	}
}

// readFile reads a regular file of a volume. ErrNone: it is not there.
func readFile(volume Volume, name string) ([]byte, error) {
	info, err := volume.Stat(name) // first: to open a pipe would be to wait for its writer, for ever
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w", name, ErrNone)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	file, err := volume.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, MaxBytes+1))
	if err == nil && len(data) > MaxBytes {
		err = fmt.Errorf("%s is over %d bytes", name, MaxBytes)
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}
