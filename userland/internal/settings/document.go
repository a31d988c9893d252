// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"fmt"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"dodeka/userland/internal/yamltree"
)

const rootKind = "v1alpha1" // of the document without a kind, which holds machine and cluster

// document is the tree of one document before machinery decodes it.
type document struct {
	kind, name string
	root       *yaml.Node
}

// split names the documents of a text. Each must be a mapping with a kind that the tables know.
func split(roots []*yaml.Node) (all []document, problems []Problem) {
	for _, root := range roots {
		mapping := yamltree.Target(root)
		if mapping.Kind != yaml.MappingNode {
			problems = append(problems, Problem{"", mapping.Line, "a document must be a mapping of fields to values"})
			continue
		}
		d := document{kind: text(mapping, "kind"), name: text(mapping, "name"), root: mapping}
		if d.kind == "" && isRoot(mapping) {
			d.kind, d.name = rootKind, ""
		}
		if p, wrong := d.complain(); wrong {
			problems = append(problems, p)
			continue
		}
		all = append(all, d)
	}
	return all, problems
}

func (d document) complain() (Problem, bool) {
	version := text(d.root, "apiVersion")
	switch {
	case d.kind == rootKind && text(d.root, "kind") == "":
		return Problem{}, false
	case d.kind == "":
		return Problem{"kind", d.root.Line, "missing: a document has apiVersion and kind, or the fields machine and cluster"}, true
	case version == "":
		return Problem{d.kind + ".apiVersion", d.root.Line, `missing: write "apiVersion: v1alpha1"`}, true
	}
	r, known := rowOf(documents, []string{d.kind})
	if known && r.support == refused {
		return Problem{d.prefix(), d.root.Line, "not supported: " + r.why}, true
	}
	return Problem{oneLine(d.kind), d.root.Line, "unknown document kind"}, !known
}

// prefix begins the paths of a document: nothing for v1alpha1, otherwise the kind and the name in brackets.
func (d document) prefix() string {
	switch {
	case d.kind == rootKind:
		return ""
	case d.name == "":
		return d.kind
	}
	return d.kind + "[" + oneLine(d.name) + "]"
}

// path writes a way through the document as people write it: machine.network.interfaces[0].mtu.
func (d document) path(way []string) string {
	var b strings.Builder
	b.WriteString(d.prefix())
	for _, segment := range way {
		if b.Len() > 0 && !strings.HasPrefix(segment, "[") {
			b.WriteByte('.')
		}
		b.WriteString(oneLine(segment))
	}
	return b.String()
}

func isRoot(mapping *yaml.Node) bool {
	for _, key := range []string{"machine", "cluster", "debug", "persist"} {
		if yamltree.Value(mapping, key) != nil {
			return true
		}
	}
	return false
}

func text(mapping *yaml.Node, key string) string {
	value := yamltree.Value(mapping, key)
	if value == nil || value.Kind != yaml.ScalarNode || value.Tag == "!!null" {
		return ""
	}
	return value.Value
}

func index(i int) string { return fmt.Sprintf("[%d]", i) }
