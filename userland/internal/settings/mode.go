// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"fmt"
	"strings"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/config"
)

const (
	defaultTry = time.Minute
	maxTry     = 24 * time.Hour
)

// situation is the state of the machine that decides which modes are possible.
type situation struct {
	configured bool // false in maintenance mode: nothing runs yet that a change could disturb
	state      bool // STATE is there
	rebooting  bool
}

// situation returns the configuration to compare with. During a try that is the tried one, as it is in force.
func (m *Manager) situation() (config.Provider, situation) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.active, situation{complete(m.active), m.store != nil, m.rebooting}
}

// choose replaces the mode that was asked for by the one that is carried out, and says so.
func (p *plan) choose(request Request, now situation, needReboot []string) error {
	mode := request.Mode
	switch {
	case !now.configured && (mode == machine.ApplyConfigurationRequest_AUTO || mode == machine.ApplyConfigurationRequest_REBOOT):
		mode = machine.ApplyConfigurationRequest_NO_REBOOT
	case !now.configured && mode == machine.ApplyConfigurationRequest_TRY:
		return &Refused{Unconfigured}
	case mode == machine.ApplyConfigurationRequest_AUTO && len(needReboot) > 0:
		mode = machine.ApplyConfigurationRequest_REBOOT
	case mode == machine.ApplyConfigurationRequest_AUTO:
		mode = machine.ApplyConfigurationRequest_NO_REBOOT
	}
	p.outcome.Mode = mode
	switch mode {
	case machine.ApplyConfigurationRequest_NO_REBOOT, machine.ApplyConfigurationRequest_TRY:
		if now.configured && len(needReboot) > 0 {
			return atReboot(needReboot)
		}
		p.outcome.ModeDetails = "Applied without a reboot."
		if !now.state && mode == machine.ApplyConfigurationRequest_NO_REBOOT {
			p.outcome.ModeDetails += " It is kept in memory until the machine has a STATE partition."
		}
		if mode == machine.ApplyConfigurationRequest_TRY {
			return p.chooseTimeout(request.TryTimeout)
		}
		return nil
	case machine.ApplyConfigurationRequest_STAGED:
		p.outcome.ModeDetails = "Staged: it comes into force at the next reboot."
	case machine.ApplyConfigurationRequest_REBOOT:
		p.outcome.ModeDetails = "Applied with a reboot."
		if len(needReboot) > 0 {
			p.outcome.ModeDetails += " It is needed for " + strings.Join(needReboot, ", ") + "."
		}
		p.outcome.NeedsReboot = true
	default:
		return invalid([]Problem{{Path: "mode", Text: fmt.Sprintf("%d is not a mode of apply", mode)}})
	}
	if !now.state {
		return &Refused{NoState}
	}
	return nil
}

func (p *plan) chooseTimeout(asked time.Duration) error {
	if asked == 0 {
		asked = defaultTry
	}
	if asked < 0 || asked > maxTry {
		return invalid([]Problem{{Path: "tryModeTimeout", Text: fmt.Sprintf("found %s, expected up to %s", asked, maxTry)}})
	}
	p.timeout = asked
	p.outcome.ModeDetails += fmt.Sprintf(" The configuration before returns by itself in %s, unless another one is applied.", asked)
	return nil
}

func atReboot(paths []string) error {
	var problems []Problem
	for _, path := range paths {
		problems = append(problems, Problem{Path: path, Text: "changes at a reboot only: use mode auto, reboot or staged"})
	}
	return invalid(problems)
}
