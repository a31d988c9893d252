// SPDX-License-Identifier: Apache-2.0

// Package maintenance guards the first configuration of a machine with a one-time code from its console.
// Whoever reaches a machine without configuration over the network could otherwise take it over; whoever reads its
// console is there. The code travels as a comment line of the applied document, because the stock client has no other
// place for it, and is taken out before the document is kept.
// What an attacker can do: guess 5 codes of 2^40, then wait; or make the owner wait, a minute at most.
package maintenance

import (
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	maxTries = 5
	minDelay = time.Second
	maxDelay = time.Minute // longer delays would hurt the owner more than the guesser
)

// Kind says why a document was not admitted.
type Kind int

const (
	CodeMissing Kind = iota // no code line in the document
	CodeWrong               // the code is not the one on the console
	TooManyTries
)

// Refusal is the error of Admit. As a gRPC status it is PermissionDenied, or ResourceExhausted while a delay runs.
type Refusal struct {
	Kind  Kind
	After time.Duration // of TooManyTries: when the next try counts
}

func (r *Refusal) Error() string {
	const hint = `add the line "# dodeka-code: XXXX-XXXX" with the code that the console shows`
	switch r.Kind {
	case CodeMissing:
		return "a machine without configuration wants its one-time code: " + hint
	case CodeWrong:
		return "the one-time code is not the one on the console: " + hint
	case TooManyTries:
		return fmt.Sprintf("too many wrong codes: wait %s, then %s", r.After.Round(time.Second), hint)
	}
	return fmt.Sprintf("BUG: refusal of kind %d", r.Kind)
}

// GRPCStatus is how the gRPC server turns the error into an answer.
func (r *Refusal) GRPCStatus() *status.Status {
	if r.Kind == TooManyTries {
		return status.New(codes.ResourceExhausted, r.Error())
	}
	return status.New(codes.PermissionDenied, r.Error())
}

// Gate holds the code that is valid now.
type Gate struct {
	open bool
	show func(code string)

	mutex   sync.Mutex
	code    string
	wrong   int // tries since the code was made
	strikes int // codes that were guessed at in vain since one was right
	until   time.Time
}

// NewGate makes a code and shows it; show is called again with every later one. An open gate admits everything and
// has no code: the kernel argument dodeka.maintenance=open asks for it.
func NewGate(open bool, show func(code string)) *Gate {
	g := &Gate{open: open, show: show}
	if !open {
		g.renew()
	}
	return g
}

// Code is the code that is valid now; empty for an open gate.
func (g *Gate) Code() string {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.code
}

// Admit checks the code of a document and returns the document without it. A code admits one document: the next one
// is made and shown at once, whatever becomes of the document. Every error is a *Refusal.
func (g *Gate) Admit(data []byte) (stripped []byte, err error) {
	typed, rest := Strip(data)
	if g.open {
		return rest, nil
	}
	if typed == "" {
		return nil, &Refusal{Kind: CodeMissing}
	}
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if wait := time.Until(g.until); wait > 0 {
		return nil, &Refusal{Kind: TooManyTries, After: wait}
	}
	if equal(typed, g.code) {
		g.strikes = 0
		g.renew()
		return rest, nil
	}
	if g.wrong++; g.wrong >= maxTries {
		g.until = time.Now().Add(min(minDelay<<min(g.strikes, 30), maxDelay))
		g.strikes++
		g.renew()
	}
	return nil, &Refusal{Kind: CodeWrong}
}

func (g *Gate) renew() {
	g.code, g.wrong = newCode(), 0
	if g.show != nil {
		g.show(g.code)
	}
}
