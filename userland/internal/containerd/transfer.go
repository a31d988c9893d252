// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/containerd/containerd/api/services/streaming/v1"
	transferapi "github.com/containerd/containerd/api/services/transfer/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/api/types/transfer"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

const (
	snapshotter = "overlayfs"
	// RegistryHosts has a folder for each registry that is reached otherwise than by its name.
	RegistryHosts = "/etc/cri/conf.d/hosts"
	chunkBytes    = 32 << 10
)

// Progress is how far containerd is with one part of an image.
type Progress struct {
	Event string // as containerd names it: "downloading", "extracted"
	Name  string
	Digest,
	MediaType string
	Done, Total int64 // bytes
}

// Pull fetches an image by its whole name and unpacks it. Progress is called from one goroutine until Pull returns.
func (c *Client) Pull(ctx context.Context, namespace, reference string, progress func(Progress)) error {
	return c.move(within(ctx, namespace), registry(reference), unpacked(reference), progress)
}

// Fetch gets what is no container's and keeps it by another name. It is not unpacked.
func (c *Client) Fetch(ctx context.Context, namespace, reference, name string) error {
	store := unpacked(name)
	store.Unpacks = nil
	return c.move(within(ctx, namespace), registry(reference), store, nil)
}

func registry(reference string) *transfer.OCIRegistry {
	return &transfer.OCIRegistry{Reference: reference, Resolver: &transfer.RegistryResolver{HostDir: RegistryHosts}}
}

// Import takes an image archive, of OCI or of docker, and returns the names under which it was kept. An archive that
// cannot be read to its end ends the import: containerd could take what came for all of it.
func (c *Client) Import(ctx context.Context, namespace string, archive io.Reader) ([]string, error) {
	ctx, cancel := context.WithCancelCause(within(ctx, namespace))
	defer cancel(nil)
	stream, id, err := c.openStream(ctx)
	if err != nil {
		return nil, err
	}
	go func() {
		if err := sendData(stream, archive); err != nil {
			cancel(err)
		}
	}()
	var names []string
	err = c.move(ctx, &transfer.ImageImportStream{Stream: id}, unpacked(""), func(p Progress) {
		if p.Event == "saved" {
			names = append(names, p.Name)
		}
	})
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	return names, err
}

// unpacked keeps an image for this machine's processor and has it ready to run.
func unpacked(name string) *transfer.ImageStore {
	platform := &types.Platform{OS: "linux", Architecture: runtime.GOARCH}
	return &transfer.ImageStore{
		Name: name, Platforms: []*types.Platform{platform},
		Unpacks: []*transfer.UnpackConfiguration{{Platform: platform, Snapshotter: snapshotter}},
	}
}

func (c *Client) move(ctx context.Context, source, destination proto.Message, progress func(Progress)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	from, err := pack(source)
	if err != nil {
		return err
	}
	to, err := pack(destination)
	if err != nil {
		return err
	}
	stream, id, err := c.openStream(ctx)
	if err != nil {
		return err
	}
	var told sync.WaitGroup
	told.Go(func() { receiveProgress(stream, progress) })
	_, err = transferapi.NewTransferClient(c.conn).Transfer(ctx, &transferapi.TransferRequest{
		Source: from, Destination: to, Options: &transferapi.TransferOptions{ProgressStream: id},
	})
	if err != nil {
		cancel() // containerd may not have come to the stream at all
	}
	told.Wait()
	return err
}

type anyStream = streaming.Streaming_StreamClient

// openStream makes a stream that later messages name.
func (c *Client) openStream(ctx context.Context) (anyStream, string, error) {
	id := rand.Text()
	stream, err := streaming.NewStreamingClient(c.conn).Stream(ctx)
	if err != nil {
		return nil, "", err
	}
	start, err := pack(&streaming.StreamInit{ID: id})
	if err != nil {
		return nil, "", err
	}
	if err := stream.Send(start); err != nil {
		return nil, "", err
	}
	_, err = stream.Recv() // containerd knows it now
	return stream, id, err
}

// receiveProgress returns when containerd has closed the stream.
func receiveProgress(stream anyStream, progress func(Progress)) {
	for {
		message, err := stream.Recv()
		if err != nil {
			return
		}
		var p transfer.Progress
		if unpack(message, &p) != nil || progress == nil {
			continue
		}
		progress(Progress{
			Event: p.Event, Name: p.Name, Digest: p.GetDesc().GetDigest(), MediaType: p.GetDesc().GetMediaType(),
			Done: p.Progress, Total: p.Total,
		})
	}
}

// sendData sends as much as containerd asks for at a time, and closes the stream after the last of it.
func sendData(stream anyStream, from io.Reader) error {
	buffer := make([]byte, chunkBytes)
	for allowed := int32(0); ; {
		for allowed <= 0 {
			message, err := stream.Recv()
			if err != nil {
				return ignoreEnd(err)
			}
			var update transfer.WindowUpdate
			if err := unpack(message, &update); err != nil {
				return err
			}
			allowed += update.Update
		}
		n, readErr := from.Read(buffer[:min(chunkBytes, int(allowed))])
		allowed -= int32(n)
		if n > 0 {
			data, err := pack(&transfer.Data{Data: buffer[:n]})
			if err != nil {
				return err
			}
			if err := stream.Send(data); err != nil {
				return ignoreEnd(err)
			}
		}
		if errors.Is(readErr, io.EOF) {
			return stream.CloseSend()
		}
		if readErr != nil {
			return readErr
		}
	}
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// pack names the type as containerd does: without a host before it.
func pack(message proto.Message) (*anypb.Any, error) {
	value, err := proto.Marshal(message)
	return &anypb.Any{TypeUrl: string(message.ProtoReflect().Descriptor().FullName()), Value: value}, err
}

func unpack(from *anypb.Any, into proto.Message) error {
	if want := into.ProtoReflect().Descriptor().FullName(); from.MessageName() != want {
		return fmt.Errorf("containerd sent a %s instead of a %s", from.TypeUrl, want)
	}
	return proto.Unmarshal(from.Value, into)
}
