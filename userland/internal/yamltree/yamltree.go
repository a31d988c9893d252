// SPDX-License-Identifier: Apache-2.0

// Package yamltree reads YAML that strangers wrote into node trees whose cost is bounded before and after parsing.
// Spec: YAML 1.2 chapters 3.2 (nodes, aliases) and 9.2 (streams of documents).
// The bounds exist because PID 1 reads it: 4 MiB of "1," costs the parser 450 MiB, 4 KiB of aliases can stand for
// gigabytes. Left out: nothing of the language; documents that are empty are dropped.
package yamltree

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	yaml "go.yaml.in/yaml/v4"
)

const (
	// MaxMarks bounds line ends, commas and opening brackets: each can make a node of about 200 bytes.
	MaxMarks = 200_000
	// MaxDepth bounds nesting. Machine configurations have about 12 levels.
	MaxDepth = 64
	// MaxNodes bounds the tree after every alias is replaced by what it stands for.
	MaxNodes = 400_000
	// MaxDocuments bounds the documents of one stream.
	MaxDocuments = 256
)

// ErrTooComplex is the verdict on text that would cost too much.
var ErrTooComplex = errors.New("too complex")

// Parse returns the root node of each document, in order. Aliases stay aliases; following them is safe and bounded.
func Parse(data []byte) (roots []*yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil { // the parser reports some broken input by panic
			roots, err = nil, fmt.Errorf("yaml: %v", p)
		}
	}()
	if marks := countMarks(data); marks > MaxMarks {
		return nil, fmt.Errorf("%w: over %d lines, commas and brackets", ErrTooComplex, MaxMarks)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	budget := counter{known: map[*yaml.Node]extent{}, open: map[*yaml.Node]bool{}}
	for documents := 0; ; documents++ {
		var document yaml.Node
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return roots, nil
		} else if err != nil {
			return nil, err
		}
		if documents == MaxDocuments {
			return nil, fmt.Errorf("%w: over %d documents", ErrTooComplex, MaxDocuments)
		}
		if len(document.Content) == 0 || document.Content[0].Tag == "!!null" {
			continue
		}
		whole, err := budget.measure(document.Content[0])
		if err != nil {
			return nil, err
		}
		if budget.total += whole.nodes; budget.total > MaxNodes {
			return nil, fmt.Errorf("%w: over %d values with aliases replaced", ErrTooComplex, MaxNodes)
		}
		roots = append(roots, document.Content[0])
	}
}

// Target is the node itself, or what it is an alias of.
func Target(node *yaml.Node) *yaml.Node {
	for node != nil && node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}

// Value returns the value of a key of a mapping, aliases followed, or nil.
func Value(mapping *yaml.Node, key string) *yaml.Node {
	mapping = Target(mapping)
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return Target(mapping.Content[i+1])
		}
	}
	return nil
}

func countMarks(data []byte) int {
	marks := 0
	for _, b := range data {
		switch b {
		case '\n', '\r', ',', '[', '{':
			marks++
		}
	}
	return marks
}

// extent is how much a value holds once every alias below it is replaced.
type extent struct{ nodes, levels int }

// counter measures trees with a memory, so that a chain of doubling aliases costs one visit each.
type counter struct {
	known map[*yaml.Node]extent
	open  map[*yaml.Node]bool // on the way from the root: an alias to one of these is a circle
	total int
}

func (c *counter) measure(node *yaml.Node) (extent, error) {
	node = Target(node)
	if node == nil {
		return extent{}, errors.New("yaml: alias without anchor")
	}
	if known, ok := c.known[node]; ok {
		return known, nil
	}
	if c.open[node] {
		return extent{}, fmt.Errorf("%w: line %d: the value contains itself", ErrTooComplex, node.Line)
	}
	if len(c.open) > MaxDepth {
		return extent{}, fmt.Errorf("%w: line %d: over %d levels deep", ErrTooComplex, node.Line, MaxDepth)
	}
	c.open[node] = true
	defer delete(c.open, node)
	sum := extent{nodes: 1, levels: 1}
	for _, child := range node.Content {
		below, err := c.measure(child)
		if err != nil {
			return extent{}, err
		}
		sum.nodes += below.nodes
		sum.levels = max(sum.levels, below.levels+1)
		if sum.nodes > MaxNodes {
			return extent{}, fmt.Errorf("%w: line %d: over %d values with aliases replaced", ErrTooComplex, node.Line, MaxNodes)
		}
		if sum.levels > MaxDepth {
			return extent{}, fmt.Errorf("%w: line %d: over %d levels deep", ErrTooComplex, node.Line, MaxDepth)
		}
	}
	c.known[node] = sum
	return sum, nil
}
