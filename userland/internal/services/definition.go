// SPDX-License-Identifier: Apache-2.0

// Package services starts and watches what runs next to PID 1: processes with few rights in a control group of their
// own, and functions inside PID 1. Each service waits for others and for a condition, is started again by its policy,
// is asked for its health, and tells its state by the names that Talos documents.
package services

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"dodeka/userland/internal/cgroup"
	"dodeka/userland/internal/logs"
)

// Policy says when a service is started again after it ended by itself.
type Policy int

// The policies.
const (
	Always    Policy = iota
	OnFailure        // unless it ended without an error
	Once
)

// ErrSkip is what a Condition or Prepare returns when the service has nothing to do on this machine.
var ErrSkip = errors.New("service skipped")

// Definition is all that there is to know about a service. Either Command or Run is set.
type Definition struct {
	ID        string
	DependsOn []string // services that must be up: running and not unhealthy, or finished, or skipped
	// Condition waits for anything else that the service needs. Waiting names it for whoever looks.
	Condition func(context.Context) error
	Waiting   string
	// Prepare is called before every start. What takes long it tells whoever looks.
	Prepare   func(ctx context.Context, tell func(message string)) error
	Command   Command
	Run       func(ctx context.Context, log io.Writer) error // a service inside PID 1; ends when ctx does
	Cgroup    Limits
	Restart   Policy
	Health    *Health
	Operable  bool          // may be started, stopped and restarted through the API
	StopAfter time.Duration // from the request to end until the kill; default 10 s
}

// Command is a process.
type Command struct {
	Path         string
	Args         []string // without the program's name
	Env          []string // all of it
	UID, GID     uint32
	Groups       []uint32 // supplementary
	Capabilities []Capability
	// Privileged keeps every capability and lets programs gain privileges, as container runtimes need.
	Privileged bool
	OOMScore   int      // oom_score_adj: -1000 (never killed) to 1000
	Terminals  []string // devices that are opened for writing and handed on as descriptors 3, 4, ...
	// LeaveChildren ends only the process itself, as its children are containers that go on while it restarts. When the
	// machine goes down they end as well.
	LeaveChildren bool
}

// Limits are those of the service's control group, and its path below the root: by default "system/<id>".
type Limits struct {
	cgroup.Limits
	Path string
}

// Health is a check that runs while the service does.
type Health struct {
	Check        func(context.Context) error
	Delay        time.Duration // before the first check; default 1 s
	Period       time.Duration // default 5 s
	Timeout      time.Duration // of one check; default 1 s
	RestartAfter int           // failed checks in a row that end the service as failed; 0 for never
}

const (
	defaultStop    = 10 * time.Second
	defaultDelay   = time.Second
	defaultPeriod  = 5 * time.Second
	defaultTimeout = time.Second
)

// checked returns the definition with its defaults.
func (d Definition) checked() (Definition, error) {
	if !logs.ValidID(d.ID) {
		return d, fmt.Errorf("service %q: %w", d.ID, logs.ErrID)
	}
	if (d.Command.Path == "") == (d.Run == nil) {
		return d, fmt.Errorf("service %q: expected either a command or a function", d.ID)
	}
	d.Cgroup.Path = cmp.Or(d.Cgroup.Path, cgroup.System+"/"+d.ID)
	d.StopAfter = cmp.Or(d.StopAfter, defaultStop)
	if d.Health != nil {
		h := *d.Health
		h.Delay = cmp.Or(h.Delay, defaultDelay)
		h.Period = cmp.Or(h.Period, defaultPeriod)
		h.Timeout = cmp.Or(h.Timeout, defaultTimeout)
		d.Health = &h
	}
	return d, nil
}
