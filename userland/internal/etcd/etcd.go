// SPDX-License-Identifier: Apache-2.0

// Package etcd runs the cluster's database on a machine of the control plane: one container of the image that the
// configuration names, without rights, that speaks TLS with certificates of cluster.etcd.ca only. It starts by itself
// once it has data; the first of a cluster gets its data when somebody asks for a bootstrap, from nothing or from a
// snapshot. Left out: joining and leaving a cluster of several members.
package etcd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"google.golang.org/grpc"

	"dodeka/userland/internal/containerd"
	"dodeka/userland/internal/services"
)

// ID names the service, its log, its container and its control group.
const ID = "etcd"

const (
	user       = 60 // the account of the container, and its group
	clientPort = 2379
	peerPort   = 2380
	cgroup     = "system/" + ID

	startWait  = 200 * time.Millisecond // between two looks at what the container needs, or at how it starts
	stopWait   = 20 * time.Second       // from the request to end until the kill
	clearWait  = 30 * time.Second       // for what comes after that
	healthWait = 5 * time.Second
)

// limits leave the memory of the database to the kernel: to end it for its size would help nobody.
var limits = map[string]string{"pids.max": "512", "cpu.weight": "200", "memory.low": "67108864"}

// Runtime runs containers; *containerd.Client is one.
type Runtime interface {
	Ensure(ctx context.Context, namespace, image string) error
	Run(ctx context.Context, namespace string, program containerd.Program, started func(pid uint32)) error
}

// Options are what the service works with. Zero fields take what a running system uses.
type Options struct {
	State   state.State // addresses and names of the machine
	Cluster config.ClusterConfig
	Runtime Runtime
	Log     func() io.WriteCloser // of what comes before the service runs
	Folder  string                // on a disk: data, snapshots
	Memory  string                // in memory: keys, pipes
	Owner   int                   // of what the container reads and writes
	Address string                // under which this process reaches etcd
	Now     func() time.Time      // the clock on the wall
}

// Service is the database of this machine.
type Service struct {
	Options
	client  *grpc.ClientConn
	asked   chan struct{} // a bootstrap; holds one
	changes sync.Mutex    // of the data folder and of what stands beside it, through the API
	running atomic.Bool
	issued  issued // belongs to the goroutine that prepares and runs the container
}

// CanRun tells whether a configuration has what certificates are made with.
func CanRun(cluster config.ClusterConfig) bool {
	ca := cluster.Etcd().CA()
	return ca != nil && len(ca.Crt) > 0 && len(ca.Key) > 0
}

// New makes the service, and removes what a power cut left half done beside the data.
func New(o Options) (*Service, error) {
	if o.Folder == "" {
		o.Folder, o.Memory, o.Owner = "/var/lib", "/run/dodeka/etcd", user
	}
	if o.Address == "" {
		o.Address = fmt.Sprintf("127.0.0.1:%d", clientPort)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Service{Options: o, asked: make(chan struct{}, 1)}
	conn, err := s.connect()
	if err != nil {
		return nil, err
	}
	s.client = conn
	return s, errors.Join(os.MkdirAll(o.Folder, 0o755), s.tidy())
}

// Close ends calls that are under way.
func (s *Service) Close() error { return s.client.Close() }

// Definition is the service for the supervisor.
func (s *Service) Definition() services.Definition {
	return services.Definition{
		ID: ID, DependsOn: []string{services.Containerd}, StopAfter: stopWait + clearWait,
		Condition: s.awaitAddress, Waiting: "an address of the machine that etcd may advertise",
		Prepare: s.prepare, Run: s.run,
		Health: &services.Health{Check: s.healthy, Timeout: healthWait},
	}
}

func (s *Service) awaitAddress(ctx context.Context) error {
	for {
		if _, err := s.place(ctx); err == nil {
			return nil
		}
		if err := sleep(ctx, startWait); err != nil {
			return err
		}
	}
}

// prepare waits until there is something to start.
func (s *Service) prepare(ctx context.Context, tell func(string)) error {
	tell("Waiting for a bootstrap, or to join a cluster")
	wanted, err := s.awaitData(ctx)
	if err != nil {
		return err
	}
	image := s.Cluster.Etcd().Image()
	tell("Fetching the image " + image)
	if err := s.Runtime.Ensure(ctx, containerd.System, image); err != nil {
		return fmt.Errorf("image %s: %w", image, err)
	}
	if err := os.MkdirAll(s.Memory, 0o755); err != nil {
		return err
	}
	if wanted != nil {
		tell("Making the data folder")
		if err := s.begin(ctx, *wanted); err != nil {
			return err
		}
	}
	if err := s.ownFolder(s.data()); err != nil {
		return err
	}
	return s.renew(ctx)
}

// awaitData returns what kind of bootstrap is to be carried out, or nil where there are data already.
func (s *Service) awaitData(ctx context.Context) (*intent, error) {
	for {
		wanted, err := s.intent()
		if err != nil || wanted != nil || s.hasData() {
			return wanted, err
		}
		select {
		case <-s.asked:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// run runs etcd until it ends, or ends it when ctx does.
func (s *Service) run(ctx context.Context, log io.Writer) error {
	where, err := s.place(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer cancel()
	helpers.Go(func() { s.keepCertificates(ctx, log) })
	helpers.Go(func() { s.settle(ctx, log) })
	defer s.running.Store(false)
	program := s.program(ID, append([]string{"etcd"}, s.arguments(where)...), log)
	program.Mounts = []containerd.Mount{
		{Source: s.data(), Inside: s.data(), Writable: true}, {Source: s.certificates(), Inside: s.certificates()},
	}
	err = s.Runtime.Run(ctx, containerd.System, program, func(uint32) { s.running.Store(true) })
	if err == nil && ctx.Err() == nil {
		return errors.New("etcd ended by itself")
	}
	return err
}

// program is what all containers of this package have in common.
func (s *Service) program(id string, args []string, log io.Writer) containerd.Program {
	return containerd.Program{
		ID: id, Image: s.Cluster.Etcd().Image(), Args: args, User: user,
		Cgroup: cgroup, Limits: limits,
		OpenFiles: 10240, OOMScore: -998, StopAfter: stopWait, Output: log, OutputDir: s.Memory,
	}
}

func (s *Service) data() string { return filepath.Join(s.Folder, "etcd") }

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
