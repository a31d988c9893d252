// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// aws reads the instance metadata service, version 2: a token, got by PUT, goes with each request, so that a confused
// proxy or web server cannot be made to read it.
type aws struct{ Options }

func (a aws) Name() string { return "aws" }

const awsTokenBytes = 4 << 10

// Read takes user-data as the configuration.
func (a aws) Read(ctx context.Context) (Metadata, error) {
	base := a.endpoint("http://169.254.169.254") + "/latest/"
	token, err := a.Fetch.get(ctx, request{method: http.MethodPut, url: base + "api/token", limit: awsTokenBytes,
		header: map[string]string{"X-aws-ec2-metadata-token-ttl-seconds": "300"}})
	if err != nil {
		return Metadata{}.finish(a.Name()), err
	}
	word := strings.TrimSpace(string(token))
	if word == "" || strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r > '~' }) { // no header can carry it
		return Metadata{}.finish(a.Name()), errors.New("the metadata service gave a token that is no word")
	}
	k := keys{a.Fetch, base + "meta-data/", map[string]string{"X-aws-ec2-metadata-token": word}, nil}
	var found Metadata
	found.Hostname = k.text(ctx, "local-hostname")
	found.Facts.InternalDNS, found.Facts.ExternalDNS = found.Hostname, k.text(ctx, "public-hostname")
	found.Facts.InstanceID, found.Facts.InstanceType = k.text(ctx, "instance-id"), k.text(ctx, "instance-type")
	found.Facts.Region, found.Facts.Zone = k.text(ctx, "placement/region"), k.text(ctx, "placement/availability-zone")
	found.Facts.Spot = k.text(ctx, "instance-life-cycle") == "spot"
	if found.Facts.InstanceID != "" {
		found.Facts.ProviderID = "aws:///" + found.Facts.Zone + "/" + found.Facts.InstanceID
	}
	found.PublicIPs = addresses(k.text(ctx, "public-ipv4"), k.text(ctx, "ipv6"))
	if k.err != nil {
		return found.finish(a.Name()), k.err
	}
	found.Config, err = optional(a.Fetch.get(ctx, request{url: base + "user-data", header: k.header}))
	return found.finish(a.Name()), err
}

// keys reads one small text after another until one fails for another reason than that it is not there.
type keys struct {
	fetch  Fetcher
	base   string
	header map[string]string
	err    error
}

const keyBytes = 4 << 10

func (k *keys) text(ctx context.Context, name string) string {
	if k.err != nil {
		return ""
	}
	data, err := optional(k.fetch.get(ctx, request{url: k.base + name, header: k.header, limit: keyBytes}))
	k.err = err
	return strings.TrimSpace(string(data))
}
