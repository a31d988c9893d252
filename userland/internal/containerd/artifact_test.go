// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/containerd/containerd/api/services/images/v1"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	artifact = `{"artifactType":"the type","layers":[
		{"digest":"a","size":3,"annotations":{"org.opencontainers.image.title":"dir/a"}},{"digest":"b","size":4}]}`
	artifactIndex = `{"manifests":[{"digest":"others","size":9,"platform":{"os":"linux","architecture":"vax"}},
		{"digest":"artifact","size":9,"platform":{"os":"linux","architecture":"` + runtime.GOARCH + `"}}]}`
)

func artifacts(t *testing.T) *Client {
	t.Helper()
	return start(t, &fake{
		namespace: System,
		images: []*images.Image{
			imageOf("one", "artifact", 9), imageOf("index", "index", 9), imageOf("image", "image", 9), imageOf("foreign", "foreign", 9),
			imageOf("many", "many", 9),
		},
		blobs: map[string][]byte{
			"artifact": []byte(artifact), "index": []byte(artifactIndex), "image": []byte(manifest), "a": []byte("abc"), "b": []byte("too long"),
			"foreign": []byte(`{"manifests":[{"digest":"others","size":9,"platform":{"os":"linux","architecture":"vax"}}]}`),
			"many":    []byte(`{"artifactType":"the type","layers":[{}` + strings.Repeat(",{}", maxFiles) + `]}`),
		},
	})
}

func TestArtifactsSayWhereTheirFilesBelong(t *testing.T) {
	client := artifacts(t)
	want := []File{{Path: "dir/a", Digest: "a", Size: 3}, {Digest: "b", Size: 4}}
	for _, name := range []string{"one", "index"} {
		files, err := client.Artifact(context.Background(), System, name, "the type")
		if diff := cmp.Diff(want, files); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	content, err := io.ReadAll(client.Open(context.Background(), System, want[0]))
	if !bytes.Equal(content, []byte("abc")) || err != nil {
		t.Errorf("got %q, %v", content, err)
	}
	if _, err := io.ReadAll(client.Open(context.Background(), System, want[1])); err == nil || !strings.Contains(err.Error(), "more than was expected") {
		t.Errorf("got %v", err)
	}
}

func TestOtherImagesAreNoArtifacts(t *testing.T) {
	client := artifacts(t)
	for name, want := range map[string]string{
		"image": `its type is "", expected "the type"`, "foreign": "nothing for this machine", "many": "at most 64",
	} {
		if _, err := client.Artifact(context.Background(), System, name, "the type"); !errors.Is(err, ErrNoArtifact) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := client.Artifact(context.Background(), System, "absent", "x"); status.Code(err) != codes.NotFound {
		t.Errorf("got %v", err)
	}
}
