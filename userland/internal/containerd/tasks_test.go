// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/api/services/images/v1"
	transferapi "github.com/containerd/containerd/api/services/transfer/v1"
	"github.com/containerd/containerd/api/types"
	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// chain is the snapshot of the layers one and two: "sha256:one sha256:two", hashed.
const chain = "sha256:3a5439ca836ab36056ee07b434b26004a1764231b4d9ba85a6c21f5d3c4f35e5"

// withImage is a containerd that has an image of two layers, unpacked.
func withImage(t *testing.T) (*Client, *fake) {
	t.Helper()
	f := &fake{
		namespace: System,
		images:    []*images.Image{{Name: "etcd:1", Target: &types.Descriptor{Digest: "index", Size: 100}}},
		blobs: map[string][]byte{
			"index": []byte(`{"manifests": [{"digest": "other", "size": 9, "platform": {"os": "linux", "architecture": "riscv"}},
				{"digest": "manifest", "size": 9, "platform": {"os": "linux", "architecture": "amd64"}}]}`),
			"manifest": []byte(`{"config": {"digest": "config", "size": 9}, "layers": []}`),
			"config":   []byte(`{"config": {"Env": ["ETCD_NAME=other", "PATH=/usr/local/bin"]}, "rootfs": {"diff_ids": ["sha256:one", "sha256:two"]}}`),
		},
	}
	f.run.made = []string{"snapshot " + chain}
	return start(t, f), f
}

func programOf(t *testing.T, output *bytes.Buffer) Program {
	return Program{
		ID: "etcd", Image: "etcd:1", Args: []string{"etcd", "--name=a"}, User: 60, Cgroup: "system/etcd", OpenFiles: 7, OOMScore: -998,
		Limits: map[string]string{"pids.max": "9"}, Output: output, OutputDir: t.TempDir(), StopAfter: 50 * time.Millisecond,
		Mounts: []Mount{{Source: "/var/lib/etcd", Inside: "/data", Writable: true}, {Source: "/run/pki", Inside: "/pki"}},
	}
}

// leftOver is what is there besides the image.
func leftOver(f *fake) []string {
	f.run.mu.Lock()
	defer f.run.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.run.made), func(one string) bool { return strings.HasPrefix(one, "snapshot sha256:") })
}

func TestRunEnds(t *testing.T) {
	tests := []struct {
		name string
		exit uint32
		want error
	}{{"well", 0, nil}, {"with a status", 3, Exited{3}}}
	for _, tc := range tests {
		client, f := withImage(t)
		var output bytes.Buffer
		p := programOf(t, &output)
		err := client.Run(t.Context(), System, p, func(pid uint32) {
			if pid != 42 {
				t.Errorf("pid %d", pid)
			}
			f.run.ended <- tc.exit
		})
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
		if output.String() != "etcd is up\n" {
			t.Errorf("%s: output %q", tc.name, &output)
		}
		if left, _ := os.ReadDir(p.OutputDir); len(leftOver(f)) > 0 || len(left) > 0 {
			t.Errorf("%s: left %v %v", tc.name, leftOver(f), left)
		}
		if f.run.parent != chain {
			t.Errorf("%s: on top of %s", tc.name, f.run.parent)
		}
	}
}

func TestRunGivesNoRights(t *testing.T) {
	client, f := withImage(t)
	var output bytes.Buffer
	if err := client.Run(t.Context(), System, programOf(t, &output), func(uint32) { f.run.ended <- 0 }); err != nil {
		t.Fatal(err)
	}
	if f.run.container.Runtime.Name != "io.containerd.runc.v2" || f.run.container.SnapshotKey != "etcd" {
		t.Errorf("%v", f.run.container)
	}
	var spec specs.Spec
	if err := json.Unmarshal(f.run.container.Spec.Value, &spec); err != nil {
		t.Fatal(err)
	}
	p := spec.Process
	if !spec.Root.Readonly || !p.NoNewPrivileges || p.User.UID != 60 || p.User.GID != 60 || *p.OOMScoreAdj != -998 {
		t.Errorf("%+v %+v", spec.Root, p)
	}
	if diff := cmp.Diff(&specs.LinuxCapabilities{}, p.Capabilities); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"PATH=/usr/local/bin"}, p.Env); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: 7, Soft: 7}}, p.Rlimits); diff != "" {
		t.Error(diff)
	}
	if spec.Linux.CgroupsPath != "/system/etcd" || spec.Linux.Resources.Unified["pids.max"] != "9" || spec.Linux.Resources.Devices[0].Allow {
		t.Errorf("%+v", spec.Linux)
	}
	want := map[string]string{"/proc": "nosuid", "/dev": "nosuid", "/data": "rw", "/pki": "ro"}
	for _, m := range spec.Mounts {
		if !slices.Contains(m.Options, want[m.Destination]) || !slices.Contains(m.Options, "noexec") {
			t.Errorf("%+v", m)
		}
		delete(want, m.Destination)
	}
	if len(want) > 0 {
		t.Errorf("not mounted: %v", want)
	}
}

func TestRunIsEnded(t *testing.T) {
	for _, tc := range []struct {
		name string
		deaf []unix.Signal
	}{{"when it is asked to", nil}, {"by the kernel when it does not heed", []unix.Signal{unix.SIGTERM}}} {
		client, f := withImage(t)
		f.run.deaf = tc.deaf
		var output bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		if err := client.Run(ctx, System, programOf(t, &output), func(uint32) { cancel() }); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		if left := leftOver(f); len(left) > 0 {
			t.Errorf("%s: left %v", tc.name, left)
		}
	}
}

func TestRunOutlivesARestartOfContainerd(t *testing.T) {
	client, f := withImage(t)
	f.run.away.Store(1)
	var output bytes.Buffer
	began := time.Now()
	if err := client.Run(t.Context(), System, programOf(t, &output), func(uint32) { f.run.ended <- 0 }); err != nil || time.Since(began) < askAgain {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}

func TestRunRemovesWhatIsThereBefore(t *testing.T) {
	client, f := withImage(t)
	f.run.ended = make(chan uint32, 1)
	for _, what := range []string{"snapshot etcd", "container etcd", "task etcd"} {
		f.run.make(what)
	}
	var output bytes.Buffer
	if err := client.Run(t.Context(), System, programOf(t, &output), func(uint32) { f.run.ended <- 0 }); err != nil {
		t.Fatal(err)
	}
	want := []string{"remove task etcd", "remove container etcd", "remove snapshot etcd", "make snapshot etcd", "make container etcd", "make task etcd"}
	if diff := cmp.Diff(want, f.run.log[3:9]); diff != "" {
		t.Error(diff)
	}
}

func TestRunThatDoesNotStartLeavesNothing(t *testing.T) {
	client, f := withImage(t)
	f.run.refused = "start"
	var output bytes.Buffer
	err := client.Run(t.Context(), System, programOf(t, &output), func(uint32) { t.Error("it started") })
	if err == nil || !strings.Contains(err.Error(), "not found in $PATH") || len(leftOver(f)) > 0 {
		t.Errorf("%v, left %v", err, leftOver(f))
	}
}

func TestEnsurePullsWhatIsNotWhole(t *testing.T) {
	tests := []struct {
		name   string
		change func(*fake)
		pulls  bool
	}{
		{"whole", func(*fake) {}, false},
		{"no image", func(f *fake) { f.images = nil }, true},
		{"not unpacked", func(f *fake) { f.run.made = nil }, true},
		{"a document is missing", func(f *fake) { delete(f.blobs, "config") }, true},
	}
	for _, tc := range tests {
		client, f := withImage(t)
		tc.change(f)
		var pulls bool
		f.transfer = func(_ *transferapi.TransferRequest, stream func(string) openedStream) error {
			pulls = true
			return status.Error(codes.Unavailable, "no registry")
		}
		err := client.Ensure(t.Context(), System, "etcd:1")
		if pulls != tc.pulls || (err != nil) != tc.pulls {
			t.Errorf("%s: pulled %v, %v", tc.name, pulls, err)
		}
	}
}

func TestImagesThatCannotRun(t *testing.T) {
	for name, config := range map[string]string{"no layers": `{"config": {}}`, "no JSON": `x`} {
		client, f := withImage(t)
		f.blobs["config"] = []byte(config)
		if err := client.Ensure(t.Context(), System, "etcd:1"); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestChain(t *testing.T) {
	for want, layers := range map[string][]string{"sha256:one": {"sha256:one"}, chain: {"sha256:one", "sha256:two"}} {
		if got := chainOf(layers); got != want {
			t.Errorf("%v: got %s", layers, got)
		}
	}
}
