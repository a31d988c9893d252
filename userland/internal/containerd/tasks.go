// SPDX-License-Identifier: Apache-2.0

package containerd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/containerd/api/services/containers/v1"
	"github.com/containerd/containerd/api/services/snapshots/v1"
	"github.com/containerd/containerd/api/services/tasks/v1"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	runcRuntime = "io.containerd.runc.v2"
	keptLabel   = "containerd.io/gc.root" // containerd removes what has it for nobody's sake
	killWait    = 10 * time.Second        // for the kernel to end what was killed
	clearWait   = 20 * time.Second        // for containerd to forget a container
	askAgain    = time.Second             // while containerd is restarted
	flushWait   = 200 * time.Millisecond  // for the last lines of output
)

// Program is one of an image that the machine itself runs, as a container.
type Program struct {
	ID     string
	Image  string   // fetched before
	Args   []string // the program, looked for in the image's search path, and its arguments
	Env    []string // besides that path: nothing else of the image's environment is taken
	User   uint32   // and group
	Mounts []Mount
	Cgroup string            // path below the root of the tree
	Limits map[string]string // files of the control group: "pids.max"
	// OpenFiles bounds the descriptors of a process; 0 leaves the runtime's bound.
	OpenFiles uint64
	OOMScore  int           // oom_score_adj
	StopAfter time.Duration // from the request to end until the kill
	Output    io.Writer     // both of its streams
	OutputDir string        // where the pipe that its output comes through is made; it must exist
}

// Mount is a file or directory of the machine that a container sees. Nothing in it is executed.
type Mount struct {
	Source, Inside string
	Writable       bool
}

// Exited is a container that ended by itself, and not well.
type Exited struct{ Status uint32 }

func (e Exited) Error() string { return fmt.Sprintf("exit status %d", e.Status) }

// Run runs a container until it ends, or ends it when ctx does, and leaves nothing of it. started is told its process.
// It outlives a restart of containerd. What another run of the same ID has left is removed first.
func (c *Client) Run(ctx context.Context, namespace string, container Program, started func(pid uint32)) error {
	r := &run{client: c, Program: container, namespace: namespace}
	if err := r.clear(); err != nil {
		return err
	}
	pipe, err := openOutput(filepath.Join(container.OutputDir, container.ID+".output"))
	if err != nil {
		return err
	}
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(container.Output, pipe)
	}()
	err = r.live(ctx, pipe.Name(), started)
	err = errors.Join(err, r.clear())
	_ = pipe.SetReadDeadline(time.Now().Add(flushWait)) // it has no end: this process holds it open for writing, too
	<-copied
	return errors.Join(err, pipe.Close(), os.Remove(pipe.Name()))
}

// openOutput makes a pipe that the runtime opens by its name.
func openOutput(path string) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
}

// run is one life of a container.
type run struct {
	Program
	client    *Client
	namespace string
}

func (r *run) live(ctx context.Context, output string, started func(pid uint32)) error {
	calls := within(ctx, r.namespace)
	if err := r.create(calls, output); err != nil {
		return err
	}
	answer, err := r.tasks().Start(calls, &tasks.StartRequest{ContainerID: r.ID})
	if err != nil {
		return fmt.Errorf("start %s: %w", r.Args[0], err)
	}
	started(answer.GetPid())
	ended := make(chan error, 1)
	waiting, stop := context.WithCancel(within(context.WithoutCancel(ctx), r.namespace))
	defer stop()
	go func() { ended <- r.wait(waiting) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	return r.end(ended)
}

// create makes the root file system, the container and its process, which does not run yet.
func (r *run) create(ctx context.Context, output string) error {
	searchPath, layers, err := r.client.unpackedImage(ctx, r.Image)
	if err != nil {
		return fmt.Errorf("image %s: %w", r.Image, err)
	}
	spec, err := r.runtimeSpec(searchPath)
	if err != nil {
		return err
	}
	root, err := r.snapshots().Prepare(ctx, &snapshots.PrepareSnapshotRequest{
		Snapshotter: snapshotter, Key: r.ID, Parent: layers, Labels: map[string]string{keptLabel: time.Now().UTC().Format(time.RFC3339)},
	})
	if err != nil {
		return fmt.Errorf("root file system: %w", err)
	}
	_, err = r.containers().Create(ctx, &containers.CreateContainerRequest{Container: &containers.Container{
		ID: r.ID, Image: r.Image, Runtime: &containers.Container_Runtime{Name: runcRuntime},
		Spec: spec, Snapshotter: snapshotter, SnapshotKey: r.ID,
	}})
	if err != nil {
		return err
	}
	_, err = r.tasks().Create(ctx, &tasks.CreateTaskRequest{ContainerID: r.ID, Rootfs: root.GetMounts(), Stdout: output, Stderr: output})
	return err
}

// wait returns when the process has ended. While containerd is away the process goes on.
func (r *run) wait(ctx context.Context) error {
	for {
		answer, err := r.tasks().Wait(ctx, &tasks.WaitRequest{ContainerID: r.ID})
		switch {
		case err == nil && answer.GetExitStatus() != 0:
			return Exited{answer.GetExitStatus()}
		case status.Code(err) != codes.Unavailable:
			return err
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// end asks the process to end, and kills it when it does not. How it ends is no failure then.
func (r *run) end(ended <-chan error) error {
	for _, step := range []struct {
		signal unix.Signal
		wait   time.Duration
	}{{unix.SIGTERM, r.StopAfter}, {unix.SIGKILL, killWait}} {
		ctx, cancel := context.WithTimeout(within(context.Background(), r.namespace), step.wait)
		_, err := r.tasks().Kill(ctx, &tasks.KillRequest{ContainerID: r.ID, Signal: uint32(step.signal), All: step.signal == unix.SIGKILL})
		if gone(err) == nil {
			select {
			case <-ended:
				cancel()
				return nil
			case <-ctx.Done():
			}
		}
		cancel()
	}
	return fmt.Errorf("container %s did not end, nor when killed", r.ID)
}

// clear removes the process, the container and its file system, as far as they are there.
func (r *run) clear() error {
	ctx, cancel := context.WithTimeout(within(context.Background(), r.namespace), clearWait)
	defer cancel()
	_, err := r.tasks().Get(ctx, &tasks.GetRequest{ContainerID: r.ID})
	if err == nil {
		_, _ = r.tasks().Kill(ctx, &tasks.KillRequest{ContainerID: r.ID, Signal: uint32(unix.SIGKILL), All: true}) // it may have ended
		_, _ = r.tasks().Wait(ctx, &tasks.WaitRequest{ContainerID: r.ID})
		_, err = r.tasks().Delete(ctx, &tasks.DeleteTaskRequest{ContainerID: r.ID})
	}
	if gone(err) != nil {
		return fmt.Errorf("remove the process of container %s: %w", r.ID, err)
	}
	_, err = r.containers().Delete(ctx, &containers.DeleteContainerRequest{ID: r.ID})
	if gone(err) != nil {
		return fmt.Errorf("remove container %s: %w", r.ID, err)
	}
	_, err = r.snapshots().Remove(ctx, &snapshots.RemoveSnapshotRequest{Snapshotter: snapshotter, Key: r.ID})
	if gone(err) != nil {
		return fmt.Errorf("remove the file system of container %s: %w", r.ID, err)
	}
	return nil
}

// gone forgives that something is not there.
func gone(err error) error {
	if status.Code(err) == codes.NotFound {
		return nil
	}
	return err
}

func (r *run) tasks() tasks.TasksClient { return tasks.NewTasksClient(r.client.conn) }

func (r *run) containers() containers.ContainersClient {
	return containers.NewContainersClient(r.client.conn)
}

func (r *run) snapshots() snapshots.SnapshotsClient {
	return snapshots.NewSnapshotsClient(r.client.conn)
}
