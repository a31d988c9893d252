// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/config"
)

// Request is one ApplyConfiguration call. Data no longer has the one-time code.
type Request struct {
	Data       []byte
	Mode       machine.ApplyConfigurationRequest_Mode
	DryRun     bool
	TryTimeout time.Duration // of mode TRY; 0 is one minute, at most one day
}

// Outcome is what was done, or would be done when it was a dry run.
type Outcome struct {
	Mode        machine.ApplyConfigurationRequest_Mode // AUTO and, in maintenance mode, REBOOT are replaced by what was chosen
	ModeDetails string                                 // a sentence for people; of a dry run with the diff
	Warnings    []string
	NeedsReboot bool   // the caller must reboot the machine now; never after a dry run
	Diff        string // unified, against the configuration in force; with secrets
}

// Apply checks a configuration and brings it into force as the mode says. An error leaves everything as it was:
// *Invalid when the text is at fault, *Refused when the moment is, any other when STATE cannot be written. One apply
// runs at a time; a second one is refused, not queued.
func (m *Manager) Apply(ctx context.Context, request Request) (Outcome, error) {
	if !m.applying.TryLock() {
		return Outcome{}, &Refused{Busy}
	}
	defer m.applying.Unlock()
	p, err := m.plan(ctx, request)
	if err != nil {
		return Outcome{}, err
	}
	if request.DryRun {
		return p.summary(), nil
	}
	if err := m.carryOut(ctx, p); err != nil {
		return Outcome{}, err
	}
	m.options.Log("configuration applied: mode %s", strings.ToLower(p.outcome.Mode.String()))
	return p.outcome, nil
}

// plan is everything that is decided before something changes.
type plan struct {
	next    config.Provider
	timeout time.Duration // of a try
	outcome Outcome
}

func (p plan) summary() Outcome {
	outcome := p.outcome
	outcome.NeedsReboot = false
	shown := outcome.Diff
	if shown == "" {
		shown = "No changes.\n"
	}
	outcome.ModeDetails = "Dry run, nothing was changed. It would be: " + outcome.ModeDetails + "\n\n" + shown
	return outcome
}

func (m *Manager) plan(ctx context.Context, request Request) (plan, error) {
	current, situation := m.situation()
	if situation.rebooting {
		return plan{}, &Refused{Rebooting}
	}
	parsed, err := Parse(request.Data)
	if err != nil {
		return plan{}, err
	}
	next := parsed.Provider
	if !situation.configured { // documents collect until they are complete
		if next, err = merge(current, next); err != nil {
			return plan{}, err
		}
	} else if !complete(next) {
		return plan{}, invalid([]Problem{{Path: "machine", Text: "missing: the configuration replaces the one in force, so it must be a whole one"}})
	}
	warnings, err := validate(ctx, next, m.options.Mode, m.options.State)
	if err != nil {
		return plan{}, err
	}
	needReboot, err := rebootPaths(current, next)
	if err != nil {
		return plan{}, err
	}
	changed, err := diff(current, next)
	if err != nil {
		return plan{}, err
	}
	p := plan{next: next, outcome: Outcome{Warnings: append(parsed.Warnings, warnings...), Diff: changed}}
	return p, p.choose(request, situation, needReboot)
}

func (m *Manager) carryOut(ctx context.Context, p plan) error {
	if p.outcome.Mode == machine.ApplyConfigurationRequest_TRY {
		return m.try(ctx, p.next, p.timeout)
	}
	if err := m.persist(ctx, p.next); err != nil { // first: a power cut may repeat a change, never lose one
		return err
	}
	switch p.outcome.Mode {
	case machine.ApplyConfigurationRequest_NO_REBOOT:
		m.endTrial()
		return m.activate(ctx, p.next)
	case machine.ApplyConfigurationRequest_REBOOT:
		m.endTrial()
		m.mutex.Lock()
		m.rebooting = true
		m.mutex.Unlock()
	case machine.ApplyConfigurationRequest_STAGED: // a try goes on: what is in force does not change
	default:
		return fmt.Errorf("BUG: mode %s is not chosen", p.outcome.Mode)
	}
	return nil
}
