// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/containerd/containerd/api/services/images/v1"
	"github.com/containerd/containerd/api/services/snapshots/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// imageConfig is what an image says of how to run it. Spec: OCI image specification, "Image Configuration".
type imageConfig struct {
	Config struct {
		Env []string `json:"Env"`
	} `json:"config"`
	RootFS struct {
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

// Ensure pulls an image unless it is there and unpacked already, so that a machine starts again without its registry.
func (c *Client) Ensure(ctx context.Context, namespace, reference string) error {
	_, _, err := c.unpackedImage(within(ctx, namespace), reference)
	if status.Code(err) != codes.NotFound {
		return err
	}
	return c.Pull(ctx, namespace, reference, nil)
}

// unpackedImage returns the search path of an image, as a variable, and the snapshot of all its layers. A status of
// NotFound says that the image has to be pulled: it is not there, or a power cut came before all of it was.
func (c *Client) unpackedImage(ctx context.Context, reference string) (searchPath, snapshot string, err error) {
	answer, err := images.NewImagesClient(c.conn).Get(ctx, &images.GetImageRequest{Name: reference})
	if err != nil {
		return "", "", err
	}
	target := answer.GetImage().GetTarget()
	p, err := c.imageConfig(ctx, blob{Digest: target.GetDigest(), Size: target.GetSize()})
	if err != nil {
		return "", "", err
	}
	snapshot = chainOf(p.RootFS.DiffIDs)
	_, err = snapshots.NewSnapshotsClient(c.conn).Stat(ctx, &snapshots.StatSnapshotRequest{Snapshotter: snapshotter, Key: snapshot})
	return p.searchPath(), snapshot, err
}

// imageConfig reads what an index or a manifest leads to.
func (c *Client) imageConfig(ctx context.Context, of blob) (p imageConfig, err error) {
	d, err := c.document(ctx, of)
	if err == nil && len(d.Manifests) > 0 {
		d, err = c.ours(ctx, d)
	}
	if err != nil {
		return p, err
	}
	text, err := c.text(ctx, d.Config)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("%s: %w", d.Config.Digest, err)
	}
	if len(p.RootFS.DiffIDs) == 0 {
		return p, errors.New("the image has no layers")
	}
	return p, nil
}

func (p imageConfig) searchPath() string {
	for _, variable := range p.Config.Env {
		if strings.HasPrefix(variable, "PATH=") {
			return variable
		}
	}
	return "PATH=/usr/local/bin:/usr/bin:/bin"
}

// chainOf names the snapshot of some layers, each on top of the one before it. Spec: OCI image specification, "Layer
// ChainID".
func chainOf(diffIDs []string) string {
	chain := diffIDs[0]
	for _, layer := range diffIDs[1:] {
		chain = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(chain+" "+layer)))
	}
	return chain
}
