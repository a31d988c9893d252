// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/services/images/v1"
	transferapi "github.com/containerd/containerd/api/services/transfer/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/containerd/containerd/api/types/task"
	"github.com/containerd/containerd/api/types/transfer"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// index has a manifest for this processor and one for another.
	index = `{"manifests":[
		{"digest":"ours","size":90,"platform":{"os":"linux","architecture":"` + runtime.GOARCH + `"}},
		{"digest":"others","size":90,"platform":{"os":"linux","architecture":"vax"}}]}`
	manifest = `{"config":{"digest":"config","size":5},"layers":[{"digest":"a","size":1000},{"digest":"b","size":-7},{"digest":"c","size":20}]}`
)

func imageOf(name, digest string, size int) *images.Image {
	return &images.Image{Name: name, Target: &types.Descriptor{Digest: digest, Size: int64(size)}}
}

func TestImagesHaveTheSizeOfWhatThisMachineUses(t *testing.T) {
	client := start(t, &fake{
		namespace: Kubernetes,
		images: []*images.Image{
			imageOf("all", "index", len(index)), imageOf("one", "ours", 90), imageOf("absent", "nowhere", 7),
			imageOf("of itself", "loop", 60), imageOf("huge", "ours", 1<<40), imageOf("no JSON", "text", 9),
		},
		blobs: map[string][]byte{
			"index": []byte(index), "ours": []byte(manifest), "others": []byte(manifest), "text": []byte("<xml></xml>"),
			"loop": []byte(`{"manifests":[{"digest":"loop","size":60},{"digest":"loop","size":60}]}`),
		},
	})
	sizes := map[string]int64{}
	err := client.Images(context.Background(), Kubernetes, func(image Image) error {
		sizes[image.Name] = image.Size
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{
		"all": int64(len(index)) + 90 + 1025, "one": 90 + 1025, "absent": 7, "no JSON": 9, "huge": 1 << 40,
		"of itself": 60 * (1 + 2 + 4 + 8),
	}
	if diff := cmp.Diff(want, sizes); diff != "" {
		t.Error(diff)
	}
}

// An image is made of what its maker likes: here of indexes that name each other a million times.
func TestAnImageMakesNobodyReadForLong(t *testing.T) {
	entry := `{"digest":"many","size":9}`
	f := &fake{
		namespace: Kubernetes,
		images:    []*images.Image{imageOf("bomb", "many", 9), imageOf("next", "many", 9)},
		blobs:     map[string][]byte{"many": []byte(`{"manifests":[` + strings.Repeat(entry+",", 999) + entry + `]}`)},
	}
	client := start(t, f)
	var reads []int
	err := client.Images(context.Background(), Kubernetes, func(Image) error {
		reads = append(reads, int(f.reads.Load()))
		return nil
	})
	if err != nil || !slices.Equal(reads, []int{maxDocuments, 2 * maxDocuments}) {
		t.Errorf("%v, reads before each image %v", err, reads)
	}
	gone := errors.New("the client is gone")
	if err := client.Images(context.Background(), Kubernetes, func(Image) error { return gone }); !errors.Is(err, gone) {
		t.Error(err)
	}
}

func nothing(Image) error { return nil }

func TestRemove(t *testing.T) {
	f := &fake{namespace: System, images: []*images.Image{imageOf("a", "x", 1)}}
	client := start(t, f)
	if err := client.Remove(context.Background(), System, "a"); err != nil || !slices.Equal(f.removed, []string{"a"}) {
		t.Errorf("%v, removed %v", err, f.removed)
	}
	if err := client.Remove(context.Background(), System, "b"); status.Code(err) != codes.NotFound {
		t.Errorf("an image that is not there: %v", err)
	}
	if err := client.Remove(context.Background(), Kubernetes, "a"); status.Code(err) != codes.InvalidArgument {
		t.Errorf("another namespace: %v", err)
	}
}

func TestPullAsksForAnImageOfThisMachine(t *testing.T) {
	client := start(t, &fake{namespace: Kubernetes, transfer: func(r *transferapi.TransferRequest, stream func(string) openedStream) error {
		var from transfer.OCIRegistry
		var to transfer.ImageStore
		if err := errors.Join(unpack(r.Source, &from), unpack(r.Destination, &to)); err != nil {
			return err
		}
		if from.Reference != "r.example/app:1" || to.Name != from.Reference || from.Resolver.HostDir != RegistryHosts {
			return status.Errorf(codes.InvalidArgument, "from %v to %v", &from, &to)
		}
		if len(to.Unpacks) != 1 || to.Unpacks[0].Snapshotter != "overlayfs" || to.Platforms[0].Architecture != runtime.GOARCH {
			return status.Errorf(codes.InvalidArgument, "to %v", &to)
		}
		progress := stream(r.Options.ProgressStream)
		defer progress.end()
		told, err := pack(&transfer.Progress{Event: "downloading", Progress: 3, Total: 10, Desc: &types.Descriptor{Digest: "d", MediaType: "m"}})
		if err != nil {
			return err
		}
		return progress.Send(told)
	}})
	var seen []Progress
	err := client.Pull(context.Background(), Kubernetes, "r.example/app:1", func(p Progress) { seen = append(seen, p) })
	if err != nil {
		t.Fatal(err)
	}
	want := []Progress{{Event: "downloading", Digest: "d", MediaType: "m", Done: 3, Total: 10}}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
}

func TestPullThatFailsSaysWhatContainerdSays(t *testing.T) {
	client := start(t, &fake{namespace: Kubernetes, transfer: func(*transferapi.TransferRequest, func(string) openedStream) error {
		return status.Error(codes.NotFound, "no such tag") // it never came to the stream
	}})
	err := client.Pull(context.Background(), Kubernetes, "r.example/app:1", nil)
	if s := status.Convert(err); s.Code() != codes.NotFound || s.Message() != "no such tag" {
		t.Errorf("%v", err)
	}
}

// receive takes an archive in windows that are smaller than it, as containerd does.
func receive(stream openedStream) ([]byte, error) {
	var all []byte
	for {
		more, err := pack(&transfer.WindowUpdate{Update: 1000})
		if err != nil {
			return nil, err
		}
		if err := stream.Send(more); err != nil {
			return nil, err
		}
		for got := 0; got < 1000; {
			message, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				stream.end()
				return all, nil
			}
			if err != nil {
				return nil, err
			}
			var data transfer.Data
			if err := unpack(message, &data); err != nil {
				return nil, err
			}
			got += len(data.Data)
			all = append(all, data.Data...)
			if got > 1000 {
				return nil, status.Errorf(codes.ResourceExhausted, "%d bytes where 1000 were asked for", got)
			}
		}
	}
}

func TestImportSendsTheArchiveAsItIsAskedFor(t *testing.T) {
	archive := bytes.Repeat([]byte("0123456789abcdef"), 5000)
	client := start(t, &fake{namespace: Kubernetes, transfer: func(r *transferapi.TransferRequest, stream func(string) openedStream) error {
		var from transfer.ImageImportStream
		if err := unpack(r.Source, &from); err != nil {
			return err
		}
		got, err := receive(stream(from.Stream))
		if err != nil {
			return err
		}
		if !bytes.Equal(got, archive) {
			return status.Errorf(codes.DataLoss, "%d bytes came", len(got))
		}
		progress := stream(r.Options.ProgressStream)
		defer progress.end()
		for _, event := range []*transfer.Progress{{Event: "Importing"}, {Event: "saved", Name: "app:1"}, {Event: "saved", Name: "app:2"}} {
			told, err := pack(event)
			if err != nil {
				return err
			}
			if err := progress.Send(told); err != nil {
				return err
			}
		}
		return nil
	}})
	names, err := client.Import(context.Background(), Kubernetes, iotest.OneByteReader(bytes.NewReader(archive)))
	if err != nil || !slices.Equal(names, []string{"app:1", "app:2"}) {
		t.Errorf("%v, %v", names, err)
	}
}

func TestImportOfAnArchiveThatCannotBeReadSaysWhy(t *testing.T) {
	client := start(t, &fake{namespace: Kubernetes, transfer: func(r *transferapi.TransferRequest, stream func(string) openedStream) error {
		var from transfer.ImageImportStream
		if err := unpack(r.Source, &from); err != nil {
			return err
		}
		if _, err := receive(stream(from.Stream)); err != nil {
			return err
		}
		return status.Error(codes.InvalidArgument, "unexpected end of the archive")
	}})
	_, err := client.Import(context.Background(), Kubernetes, io.MultiReader(strings.NewReader("half"), iotest.ErrReader(errors.New("the client gave up"))))
	if err == nil || !strings.Contains(err.Error(), "the client gave up") {
		t.Errorf("%v", err)
	}
}

func TestContainers(t *testing.T) {
	client := start(t, &fake{
		namespace:  Kubernetes,
		containers: []*containers.Container{{ID: "b", Image: "app:1", Labels: map[string]string{"k": "v"}}, {ID: "a"}},
		tasks:      []*task.Process{{ID: "b", Pid: 7, Status: task.Status_RUNNING}, {ID: "new", Pid: 8}},
	})
	got, err := client.Containers(context.Background(), Kubernetes)
	if err != nil {
		t.Fatal(err)
	}
	want := []Container{{ID: "a"}, {ID: "b", Image: "app:1", Labels: map[string]string{"k": "v"}, Pid: 7, Status: task.Status_RUNNING}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutContainerd(t *testing.T) {
	client, err := New(t.TempDir() + "/nobody.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Images(context.Background(), Kubernetes, nothing); status.Code(err) != codes.Unavailable {
		t.Errorf("%v", err)
	}
}
