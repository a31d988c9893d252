// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"reflect"
	"slices"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config/configloader"
	"github.com/siderolabs/talos/pkg/machinery/config/types/v1alpha1"
	yaml "go.yaml.in/yaml/v4"

	"dodeka/userland/internal/yamltree"
)

// unknownFields lists every field of a document that its type does not have. machinery refuses them as well, but says
// neither where in a list they are nor in which line.
func unknownFields(d document) []Problem {
	typ := typeOf(d.kind)
	if typ == nil {
		return nil
	}
	w := walker{document: d}
	w.visit(typ, d.root, nil)
	return w.problems
}

// typeOf returns the type into which machinery decodes a kind; its registry is private, so an empty document asks it.
func typeOf(kind string) reflect.Type {
	if kind == rootKind {
		return reflect.TypeFor[v1alpha1.Config]()
	}
	empty, err := configloader.NewFromBytes([]byte("apiVersion: v1alpha1\nkind: " + kind + "\n"))
	if err != nil || len(empty.Documents()) != 1 {
		return nil
	}
	return reflect.TypeOf(empty.Documents()[0])
}

type walker struct {
	document document
	problems []Problem
}

func (w *walker) visit(typ reflect.Type, node *yaml.Node, way []string) {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	node = yamltree.Target(node)
	switch {
	case node.Kind == yaml.SequenceNode && typ.Kind() == reflect.Slice:
		for i, item := range node.Content {
			w.visit(typ.Elem(), item, append(slices.Clip(way), index(i)))
		}
	case node.Kind == yaml.MappingNode && typ.Kind() == reflect.Map:
		for i := 0; i+1 < len(node.Content); i += 2 {
			w.visit(typ.Elem(), node.Content[i+1], append(slices.Clip(way), node.Content[i].Value))
		}
	case node.Kind == yaml.MappingNode && typ.Kind() == reflect.Struct:
		w.visitStruct(typ, node, way)
	}
}

func (w *walker) visitStruct(typ reflect.Type, node *yaml.Node, way []string) {
	known, open := fieldTypes(typ)
	if open {
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		here := append(slices.Clip(way), key.Value)
		if field, is := known[key.Value]; is {
			w.visit(field, node.Content[i+1], here)
			continue
		}
		w.problems = append(w.problems, Problem{w.document.path(here), key.Line, "unknown field"})
	}
}

// fieldTypes maps the YAML names of a struct to types. A struct that inlines a map takes any name: it is open.
func fieldTypes(typ reflect.Type) (known map[string]reflect.Type, open bool) {
	known = map[string]reflect.Type{}
	for _, field := range reflect.VisibleFields(typ) {
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		inline := slices.Contains(strings.Split(options, ","), "inline")
		switch {
		case inline && field.Type.Kind() == reflect.Map:
			return nil, true
		case inline || name == "-":
		case name != "":
			known[name] = field.Type
		default:
			known[strings.ToLower(field.Name)] = field.Type
		}
	}
	return known, false
}
