// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	maxProblems    = 30  // that are listed; gRPC carries the text in a header of limited length
	maxProblemText = 400 // bytes of one text that another module wrote
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Path string // machine.network.hostname, LinkConfig[eth0].mtu; empty when it is about the whole text
	Line int    // from 1 in the text as sent; 0 when unknown
	Text string
}

// String is one line: path, what is wrong, line.
func (p Problem) String() string {
	text := p.Text
	if p.Path != "" {
		text = p.Path + ": " + text
	}
	if p.Line > 0 {
		text += fmt.Sprintf(" (line %d)", p.Line)
	}
	return text
}

// Invalid is the error of a configuration that is refused: all problems at once, in source order. Nothing of the
// machine has changed. As a gRPC status it is InvalidArgument.
type Invalid struct{ Problems []Problem }

func (e *Invalid) Error() string {
	var lines []string
	for i, p := range e.Problems {
		if i == maxProblems {
			lines = append(lines, fmt.Sprintf("and %d more", len(e.Problems)-maxProblems))
			break
		}
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

// GRPCStatus is how the gRPC server turns the error into an answer.
func (e *Invalid) GRPCStatus() *status.Status { return status.New(codes.InvalidArgument, e.Error()) }

// Kind says which state of the machine stands against a request.
type Kind int

const (
	Busy         Kind = iota // another configuration is being applied
	Rebooting                // a configuration was applied that the reboot brings into force
	NoState                  // what must survive a reboot has no STATE partition to be written to
	Unconfigured             // there is no configuration to return to
)

// Refused is the error of a request that is right in itself but not now. As a gRPC status it is FailedPrecondition.
type Refused struct{ Kind Kind }

func (e *Refused) Error() string {
	switch e.Kind {
	case Busy:
		return "another configuration is being applied: try again"
	case Rebooting:
		return "a configuration was applied and the machine is about to reboot: apply again after that"
	case NoState:
		return "the configuration would be lost at the reboot: the machine has no STATE partition yet; install it first"
	case Unconfigured:
		return "the machine has no configuration to return to: apply without mode try"
	}
	return fmt.Sprintf("BUG: refusal of kind %d", e.Kind)
}

// GRPCStatus is how the gRPC server turns the error into an answer.
func (e *Refused) GRPCStatus() *status.Status { return status.New(codes.FailedPrecondition, e.Error()) }

// invalid makes an error of problems, or nil of none.
func invalid(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return a.Line - b.Line })
	return &Invalid{problems}
}

// foreign makes problems of an error of another module: one each of what it collected, without control characters.
func foreign(err error) []Problem {
	if collection, is := err.(interface{ WrappedErrors() []error }); is {
		var problems []Problem
		for _, one := range collection.WrappedErrors() {
			problems = append(problems, foreign(one)...)
		}
		return problems
	}
	if inner, is := err.(interface{ Unwrap() error }); is && strings.HasPrefix(err.Error(), "v1alpha1.Config: ") {
		return foreign(inner.Unwrap())
	}
	return []Problem{{Text: oneLine(err.Error())}}
}

func oneLine(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }), " ")
	if len(text) > maxProblemText {
		text = strings.ToValidUTF8(text[:maxProblemText], "") + "..."
	}
	return text
}
