// SPDX-License-Identifier: Apache-2.0

// Package hostrun runs the machine API as an ordinary process of a development host: state, events, API on a socket,
// and apid on a loopback address, without touching the host. It is for tests with real clients and is part of no image.
package hostrun

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"

	"dodeka/userland/internal/access"
	"dodeka/userland/internal/events"
	"dodeka/userland/internal/logs"
	"dodeka/userland/internal/machineapi"
	"dodeka/userland/internal/maintenance"
	"dodeka/userland/internal/osidentity"
	"dodeka/userland/internal/osstate"
	"dodeka/userland/internal/readout"
	"dodeka/userland/internal/reaper"
	"dodeka/userland/internal/sequence"
	"dodeka/userland/internal/services"
	"dodeka/userland/internal/settings"
)

// Options of Start.
type Options struct {
	Dir    string                             // for the socket, and STATE in a folder of it; a new temporary one when empty
	Config []byte                             // of the machine; nil for maintenance
	Listen string                             // of apid; "127.0.0.1:0" when empty
	Open   bool                               // maintenance without a code
	Log    func(format string, values ...any) // nil for silence
}

// Host is a machine API that runs.
type Host struct {
	Address  string // of apid
	Socket   string // of the API
	OS       *osstate.OS
	Events   *events.Stream
	Logs     *logs.Manager
	Gate     *maintenance.Gate
	Settings *settings.Manager
	Services *services.Supervisor
	Desk     *sequence.Desk // what the API asked of the machine: nothing is carried out

	cancel context.CancelFunc
	done   sync.WaitGroup
	mu     sync.Mutex
	failed error
}

// Start returns when apid accepts connections. The host runs until ctx ends or Close is called.
func Start(ctx context.Context, options Options) (*Host, error) {
	if err := options.fill(); err != nil {
		return nil, err
	}
	resources, err := osstate.New(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	stateDir := filepath.Join(options.Dir, "state")
	if err := os.MkdirAll(stateDir, 0o700); err != nil {
		cancel()
		return nil, err
	}
	h := &Host{
		Desk:     sequence.NewDesk(func(*machine.ResetRequest) error { return nil }),
		Settings: settings.New(settings.Options{State: resources.State, Dir: stateDir, Sources: options.sources(), Log: options.Log}),
		OS:       resources, Events: events.NewStream(256), Logs: logs.NewManager(64 << 10), cancel: cancel,
		Socket: filepath.Join(options.Dir, "machine.sock"),
		Gate:   maintenance.NewGate(options.Open, func(code string) { options.Log("maintenance code %s", code) }),
	}
	h.Services = services.New(services.Options{
		State: resources.State, Events: h.Events, Logs: h.Logs, Reaper: reaper.New(), Log: options.Log,
	})
	if err := h.start(ctx, options); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

func (o *Options) fill() error {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	if o.Dir != "" {
		return nil
	}
	var err error
	o.Dir, err = os.MkdirTemp("", "hostrun")
	return err
}

func (o Options) sources() []settings.Source {
	return []settings.Source{{Name: "options", Read: func(context.Context) ([]byte, error) {
		if o.Config == nil {
			return nil, settings.ErrNone
		}
		return o.Config, nil
	}}}
}

func (h *Host) start(ctx context.Context, options Options) error {
	if _, err := h.Settings.Acquire(ctx); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", options.Listen)
	if err != nil {
		return err
	}
	h.Address = listener.Addr().String()
	identity := &osidentity.Controller{Listen: h.Address}
	if err := h.OS.Runtime.RegisterController(identity); err != nil {
		return err
	}
	server := machineapi.New(h.parts(options))
	h.run(ctx, "controllers", h.OS.Runtime.Run)
	h.run(ctx, "api", func(ctx context.Context) error { return machineapi.Serve(ctx, server, h.Socket) })
	_ = listener.Close() // apid opens it again, once it has a certificate
	if err := h.addServices(options); err != nil {
		return err
	}
	return h.wait(ctx)
}

// parts is what the API is made of here. The process's own user stands for apid, as apid runs inside it.
func (h *Host) parts(options Options) machineapi.Parts {
	return machineapi.Parts{
		State: h.OS.State, Controller: h.OS.Runtime, Events: h.Events, Logs: h.Logs, Gate: h.Gate,
		Settings: h.Settings, Sequences: h.Desk, Services: h.Services,
		Root:  readout.Machine,
		About: machineapi.About{Version: "0.0.0-hostrun", Platform: "hostrun", Mode: "metal"},
		Trust: func(uid uint32) access.Trust {
			if uid == uint32(os.Getuid()) {
				return access.ReadAndWrite
			}
			return access.Nobody
		},
		Log: options.Log,
	}
}

func (h *Host) run(ctx context.Context, name string, work func(context.Context) error) {
	h.done.Go(func() {
		if err := work(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, grpc.ErrServerStopped) {
			h.mu.Lock()
			h.failed = fmt.Errorf("%s: %w", name, err)
			h.mu.Unlock()
		}
	})
}

func (h *Host) wait(ctx context.Context) error {
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		h.mu.Lock()
		failed := h.failed
		h.mu.Unlock()
		if failed != nil || ctx.Err() != nil {
			return errors.Join(failed, ctx.Err())
		}
		if conn, err := net.Dial("tcp", h.Address); err == nil {
			return conn.Close()
		}
	}
	return fmt.Errorf("apid does not accept connections on %s", h.Address)
}

// Close ends everything that Start began.
func (h *Host) Close() {
	h.stopServices()
	h.cancel()
	h.done.Wait()
}
