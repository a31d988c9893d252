// SPDX-License-Identifier: Apache-2.0

// Package knftables stands in the place of sigs.k8s.io/knftables for the plugins of the cni program. It has the part of
// that module's interface which they use, and hands tables, chains and rules to the kernel over netlink instead of
// running the program nft, which the image does not have.
//
// Left out: sets, maps, objects, and every word of the rule language that no plugin uses; such a rule is refused.
package knftables

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
)

// Family is a protocol family of a table.
type Family string

// The families that plugins make tables of.
const (
	IPv4Family Family = "ip"
	IPv6Family Family = "ip6"
	InetFamily Family = "inet"
)

// BaseChainType is what a base chain does.
type BaseChainType string

// NATType is the only type of base chain known here.
const NATType BaseChainType = "nat"

// BaseChainHook is where packets enter a base chain.
type BaseChainHook string

// The hooks of network address translation.
const (
	PreroutingHook  BaseChainHook = "prerouting"
	OutputHook      BaseChainHook = "output"
	PostroutingHook BaseChainHook = "postrouting"
)

// BaseChainPriority orders the base chains of a hook.
type BaseChainPriority string

// The kernel's own places for address translation: -100 and 100.
const (
	DNATPriority BaseChainPriority = "dstnat"
	SNATPriority BaseChainPriority = "srcnat"
)

// CommentLengthMax is the longest comment, in bytes, that the kernel's tools accept.
const CommentLengthMax = 128

// Table is the one table of an Interface; the name is the Interface's.
type Table struct {
	// Comment is for readers of the source only: it is not stored.
	Comment *string
}

// Chain is a chain of the table; one with Type, Hook and Priority is a base chain.
type Chain struct {
	Name     string
	Type     *BaseChainType
	Hook     *BaseChainHook
	Priority *BaseChainPriority
	// Comment is for readers of the source only: it is not stored.
	Comment *string
}

// Rule is a rule at the end of a chain. Rules that were listed have a handle and no text.
type Rule struct {
	Chain   string
	Rule    string
	Comment *string
	Handle  *int
}

// Object is what a transaction is about.
type Object interface{ isObject() }

func (*Table) isObject() {}
func (*Chain) isObject() {}
func (*Rule) isObject()  {}

// Interface works on one table.
type Interface interface {
	// NewTransaction returns an empty transaction.
	NewTransaction() *Transaction
	// Run makes all changes of the transaction, or none of them.
	Run(ctx context.Context, tx *Transaction) error
	// ListRules returns the rules of a chain; IsNotFound tells that there is no such chain.
	ListRules(ctx context.Context, chain string) ([]*Rule, error)
}

type verb int

const (
	add verb = iota
	flush
	remove
)

type operation struct {
	verb   verb
	object Object
}

// Transaction is a list of changes.
type Transaction struct{ operations []operation }

// Add makes a table or chain unless it is there, or appends a rule.
func (tx *Transaction) Add(object Object) {
	tx.operations = append(tx.operations, operation{add, object})
}

// Flush removes every rule of a chain.
func (tx *Transaction) Flush(object Object) {
	tx.operations = append(tx.operations, operation{flush, object})
}

// Delete removes a rule by its handle.
func (tx *Transaction) Delete(object Object) {
	tx.operations = append(tx.operations, operation{remove, object})
}

// Concat joins words, numbers, addresses and lists of words with spaces; empty ones are left out.
func Concat(parts ...any) string {
	var words []string
	for _, part := range parts {
		if list, is := part.([]string); is {
			words = append(words, list...)
		} else {
			words = append(words, text(part))
		}
	}
	return strings.Join(slices.DeleteFunc(words, func(word string) bool { return word == "" }), " ")
}

// text prints what a pointer points to, unless the pointer prints itself.
func text(value any) string {
	if _, prints := value.(fmt.Stringer); prints {
		return fmt.Sprint(value)
	}
	if v := reflect.ValueOf(value); v.Kind() == reflect.Pointer && !v.IsNil() {
		return fmt.Sprint(v.Elem().Interface())
	}
	return fmt.Sprint(value)
}

// PtrTo returns a pointer to a copy of its argument.
func PtrTo[T any](value T) *T { return &value }

// IsNotFound tells whether an error says that a table or chain does not exist.
func IsNotFound(err error) bool { return errors.Is(err, os.ErrNotExist) }
