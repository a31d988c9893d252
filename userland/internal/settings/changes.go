// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"reflect"
	"slices"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/textdiff"
	yaml "go.yaml.in/yaml/v4"
)

// change is one field, or one whole document, that differs between two configurations.
type change struct {
	kind string
	name string // identity of the document as a path shows it, empty for v1alpha1
	way  []string
}

func (c change) path() string {
	return strings.TrimPrefix(strings.Join(append([]string{c.name}, c.way...), "."), ".")
}

// live looks the change up in the one table that decides. What the table does not know needs a reboot.
func (c change) live() bool {
	table, path := fields, c.way
	if c.kind != rootKind {
		table, path = documents, append([]string{c.kind}, c.way...)
	}
	r, found := rowOf(table, path)
	return found && r.live
}

// rebootPaths lists the changed fields that only a reboot brings into force, sorted.
func rebootPaths(before, after config.Provider) ([]string, error) {
	changes, err := changesBetween(before, after)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, c := range changes {
		if !c.live() {
			paths = append(paths, c.path())
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

func changesBetween(before, after config.Provider) ([]change, error) {
	was, err := values(before)
	if err != nil {
		return nil, err
	}
	is, err := values(after)
	if err != nil {
		return nil, err
	}
	var changes []change
	for _, key := range keysOf(was, is) {
		kind, _, _ := strings.Cut(key, "[")
		c := change{kind: kind, name: key}
		if kind == rootKind {
			c.name = ""
		}
		for _, way := range differences(was[key], is[key], nil) {
			c.way = way
			changes = append(changes, c)
		}
	}
	return changes, nil
}

// values decodes each document into plain maps, lists and scalars, by identity.
func values(provider config.Provider) (map[string]any, error) {
	all := map[string]any{}
	if provider == nil {
		return all, nil
	}
	for _, document := range provider.Documents() {
		text, err := encoder.NewEncoder(document, encoder.WithComments(encoder.CommentsDisabled)).Encode()
		if err != nil {
			return nil, err
		}
		var value any
		if err := yaml.Unmarshal(text, &value); err != nil {
			return nil, err
		}
		all[identity(document)] = value
	}
	return all, nil
}

// differences descends into maps only: a list that differs is one change.
func differences(was, is any, way []string) [][]string {
	if reflect.DeepEqual(was, is) {
		return nil
	}
	from, fromMap := was.(map[string]any)
	to, toMap := is.(map[string]any)
	if !fromMap && was != nil || !toMap && is != nil || !fromMap && !toMap {
		return [][]string{way}
	}
	var ways [][]string
	for _, key := range keysOf(from, to) {
		ways = append(ways, differences(from[key], to[key], append(slices.Clip(way), key))...)
	}
	return ways
}

func keysOf(maps ...map[string]any) []string {
	var keys []string
	for _, m := range maps {
		for key := range m {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// diff is a unified diff of two configurations without comments; empty when they say the same. before may be nil.
// It shows secrets: only who may read the configuration may see it.
func diff(before, after config.Provider) (string, error) {
	var texts [2]string
	for i, provider := range []config.Provider{before, after} {
		if provider == nil {
			continue
		}
		text, err := provider.EncodeString(encoder.WithComments(encoder.CommentsDisabled))
		if err != nil {
			return "", err
		}
		texts[i] = text
	}
	return textdiff.DiffWithCustomPaths(texts[0], texts[1], "current", "applied")
}
