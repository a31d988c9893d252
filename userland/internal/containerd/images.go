// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"runtime"
	"time"

	"github.com/containerd/containerd/api/services/images/v1"
)

// Image is one that containerd has by name.
type Image struct {
	Name    string
	Digest  string
	Size    int64 // bytes of what this machine uses of it, packed as in a registry
	Created time.Time
	Labels  map[string]string
}

// Images gives those of a namespace to send, one after another: each is given before the next one's documents are read.
func (c *Client) Images(ctx context.Context, namespace string, send func(Image) error) error {
	ctx = within(ctx, namespace)
	list, err := images.NewImagesClient(c.conn).List(ctx, &images.ListImagesRequest{})
	if err != nil {
		return err
	}
	for _, image := range list.Images {
		target := image.GetTarget()
		m := measure{client: c, documents: maxDocuments}
		err := send(Image{
			Name: image.GetName(), Digest: target.GetDigest(), Labels: image.GetLabels(), Created: image.GetCreatedAt().AsTime(),
			Size: m.sizeOf(ctx, blob{Digest: target.GetDigest(), Size: target.GetSize()}, maxLevels),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Remove forgets an image and waits until its content is gone, but for what others share.
func (c *Client) Remove(ctx context.Context, namespace, name string) error {
	_, err := images.NewImagesClient(c.conn).Delete(within(ctx, namespace), &images.DeleteImageRequest{Name: name, Sync: true})
	return err
}

// Bounds on what an image may make PID 1 read of it.
const (
	maxDocumentBytes = 4 << 20
	maxLevels        = 3  // an index of indexes of manifests
	maxDocuments     = 64 // however they name each other
)

// blob is what an index or a manifest says of another. Spec: OCI image specification, "descriptor".
type blob struct {
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations"`
	Platform    *struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
	} `json:"platform"`
}

// isOurs tells whether a manifest of an index is for this machine. One that does not say is for all.
func (b blob) isOurs() bool {
	return b.Platform == nil || b.Platform.OS == "linux" && b.Platform.Architecture == runtime.GOARCH
}

// document is an index or a manifest.
type document struct {
	ArtifactType string `json:"artifactType"`
	Manifests    []blob `json:"manifests"`
	Config       blob   `json:"config"`
	Layers       []blob `json:"layers"`
}

// measure reads one image.
type measure struct {
	client    *Client
	documents int // that may still be read
}

// sizeOf counts what can be read; an image that was fetched in part is as large as what is known of it.
func (m *measure) sizeOf(ctx context.Context, of blob, levels int) int64 {
	if levels == 0 || m.documents == 0 {
		return of.Size
	}
	m.documents--
	d, err := m.client.document(ctx, of)
	if err != nil {
		return of.Size
	}
	total := of.Size
	for _, manifest := range d.Manifests {
		if manifest.isOurs() {
			total = add(total, m.sizeOf(ctx, manifest, levels-1))
		}
	}
	for _, part := range append(d.Layers, d.Config) {
		total = add(total, part.Size)
	}
	return total
}

// add treats sizes that cannot be as nothing: they are an image's own words.
func add(a, b int64) int64 {
	if b < 0 || a > math.MaxInt64-b {
		return a
	}
	return a + b
}

func (c *Client) document(ctx context.Context, of blob) (d document, err error) {
	text, err := c.text(ctx, of)
	if err != nil {
		return d, err
	}
	err = json.Unmarshal(text, &d)
	return d, err
}

// text is a document of an image, of which nothing is known but what another one says.
func (c *Client) text(ctx context.Context, of blob) ([]byte, error) {
	if of.Size < 0 || of.Size > maxDocumentBytes {
		return nil, fmt.Errorf("%s has %d bytes, more than a document of an image", of.Digest, of.Size)
	}
	return io.ReadAll(c.read(ctx, of.Digest, of.Size, maxDocumentBytes))
}
