// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/containerd/api/services/content/v1"
	"github.com/containerd/containerd/api/services/images/v1"
)

const (
	titleAnnotation = "org.opencontainers.image.title"
	maxFiles        = 64
)

// ErrNoArtifact is the verdict on an image that is not what was asked for.
var ErrNoArtifact = errors.New("the image is not what this machine can use")

// File is a layer of an artifact, with the path that it says it has.
type File struct {
	Path   string
	Digest string // "sha256:..."
	Size   int64
}

// Artifact returns the files of an image that is no container's but an artifact of the given type. What they say of
// themselves is not checked. Spec: OCI image specification, manifest.md, "Guidelines for Artifact Usage".
func (c *Client) Artifact(ctx context.Context, namespace, name, artifactType string) ([]File, error) {
	ctx = within(ctx, namespace)
	found, err := images.NewImagesClient(c.conn).Get(ctx, &images.GetImageRequest{Name: name})
	if err != nil {
		return nil, err
	}
	target := found.GetImage().GetTarget()
	d, err := c.document(ctx, blob{Digest: target.GetDigest(), Size: target.GetSize()})
	if err != nil {
		return nil, err
	}
	if len(d.Manifests) > 0 {
		if d, err = c.ours(ctx, d); err != nil {
			return nil, err
		}
	}
	if d.ArtifactType != artifactType {
		return nil, fmt.Errorf("%w: its type is %q, expected %q", ErrNoArtifact, d.ArtifactType, artifactType)
	}
	if len(d.Layers) > maxFiles {
		return nil, fmt.Errorf("%w: it has %d files, expected at most %d", ErrNoArtifact, len(d.Layers), maxFiles)
	}
	var files []File
	for _, layer := range d.Layers {
		files = append(files, File{Path: layer.Annotations[titleAnnotation], Digest: layer.Digest, Size: layer.Size})
	}
	return files, nil
}

// ours is the manifest of an index that is for this machine.
func (c *Client) ours(ctx context.Context, index document) (document, error) {
	for _, manifest := range index.Manifests {
		if manifest.isOurs() {
			return c.document(ctx, manifest)
		}
	}
	return document{}, fmt.Errorf("%w: it has nothing for this machine's processor", ErrNoArtifact)
}

// Open reads a blob that containerd has. The digest is for the reader to check.
func (c *Client) Open(ctx context.Context, namespace string, file File) io.Reader {
	return c.read(within(ctx, namespace), file.Digest, file.Size, file.Size)
}

// read begins with the first Read. It ends with an error when there are more bytes than the limit.
func (c *Client) read(ctx context.Context, digest string, size, limit int64) io.Reader {
	return &blobReader{left: limit, open: func() (content.Content_ReadClient, error) {
		return content.NewContentClient(c.conn).Read(ctx, &content.ReadContentRequest{Digest: digest, Size: size})
	}}
}

type blobReader struct {
	open   func() (content.Content_ReadClient, error)
	stream content.Content_ReadClient
	rest   []byte
	left   int64
}

func (r *blobReader) Read(into []byte) (int, error) {
	if r.stream == nil {
		stream, err := r.open()
		if err != nil {
			return 0, err
		}
		r.stream = stream
	}
	for len(r.rest) == 0 {
		part, err := r.stream.Recv()
		if err != nil {
			return 0, err // io.EOF at the end
		}
		if r.left -= int64(len(part.Data)); r.left < 0 {
			return 0, errors.New("containerd sent more than was expected")
		}
		r.rest = part.Data
	}
	n := copy(into, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
