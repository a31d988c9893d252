// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"slices"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"dodeka/userland/internal/yamltree"
)

// unsupportedFields compares a document with the tables: problems for what is refused, warnings for what has no effect.
func unsupportedFields(d document) (problems []Problem, warnings []string) {
	table, depth := fields, 0
	if d.kind != rootKind {
		table, depth = documents, 1 // the first segment of a path is the kind
	}
	for _, r := range table {
		segments := strings.Split(r.path, ".")
		if r.support != refused && r.support != ignored || depth == 1 && segments[0] != d.kind {
			continue
		}
		find(d.root, segments[depth:], nil, func(way []string, node *yaml.Node) {
			if !meaningful(node) {
				return
			}
			if r.support == refused {
				problems = append(problems, Problem{d.path(way), node.Line, "not supported: " + r.why})
			} else {
				warnings = append(warnings, d.path(way)+": has no effect: "+r.why)
			}
		})
	}
	return problems, warnings
}

// find calls found for each node that a path leads to.
func find(node *yaml.Node, segments, way []string, found func(way []string, node *yaml.Node)) {
	node = yamltree.Target(node)
	if len(segments) == 0 {
		found(way, node)
		return
	}
	switch node.Kind {
	case yaml.SequenceNode:
		for i, item := range node.Content {
			if segments[0] == "*" {
				find(item, segments[1:], append(slices.Clip(way), index(i)), found)
			}
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if key := node.Content[i].Value; segments[0] == "*" || segments[0] == key {
				find(node.Content[i+1], segments[1:], append(slices.Clip(way), key), found)
			}
		}
	}
}

// meaningful is false for values that say the same as leaving the field out.
func meaningful(node *yaml.Node) bool {
	node = yamltree.Target(node)
	switch node.Kind {
	case yaml.ScalarNode:
		return node.Tag != "!!null" && node.Value != "" && node.Value != "false" && node.Value != "0"
	case yaml.MappingNode:
		for i := 1; i < len(node.Content); i += 2 {
			if meaningful(node.Content[i]) {
				return true
			}
		}
		return false
	}
	return len(node.Content) > 0
}
