// SPDX-License-Identifier: Apache-2.0

// Package phase runs a boot as a list of named steps in one loop. A step that fails or panics ends the loop with an
// error that carries its name, so that the console can say what failed.
package phase

import (
	"fmt"
	"time"

	"dodeka/userland/internal/guard"
)

// Phase is one step over the state S that the steps hand on.
type Phase[S any] struct {
	Name string
	Run  func(*S) error
}

// Failure is the error of Run: the step and its reason.
type Failure struct {
	Phase string
	Err   error
}

func (f *Failure) Error() string { return "phase " + f.Phase + ": " + f.Err.Error() }

// Unwrap gives the reason.
func (f *Failure) Unwrap() error { return f.Err }

// Run announces and runs the phases in order and stops at the first failure.
func Run[S any](phases []Phase[S], state *S, announce func(name string)) *Failure {
	for _, p := range phases {
		announce(p.Name)
		// PID 1 must say what went wrong and go on living.
		if err := guard.Run(func() error { return p.Run(state) }); err != nil {
			return &Failure{Phase: p.Name, Err: err}
		}
	}
	return nil
}

// Line is what the console shows when a phase starts; since is the time since the kernel started.
func Line(name string, since time.Duration) string {
	return fmt.Sprintf("dodeka: phase %s t=%.3f", name, since.Seconds())
}

// FailedLine is what the console shows when a phase fails.
func FailedLine(f *Failure) string {
	return fmt.Sprintf("dodeka: failed phase=%s reason=%s", f.Phase, f.Err)
}
