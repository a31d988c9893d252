// SPDX-License-Identifier: Apache-2.0

// Package kmod finds and loads kernel modules by name or by hardware alias.
// It reads the text indexes that depmod(8) writes: modules.dep, modules.alias, modules.softdep, modules.builtin.
// Left out: compressed modules, options, blacklists and install commands; there is no modprobe.d on this system.
package kmod

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Index knows the modules of one kernel release. Names in it are canonical ("_", never "-").
type Index struct {
	files   map[string]string   // module -> path below the release directory
	needs   map[string][]string // module -> modules that must be there first
	wants   map[string][]string // module -> aliases to try first or after; their absence is no failure
	builtin map[string]bool
	exact   map[string][]string // alias without wildcard -> modules
	globs   map[string][]glob   // bus ("pci", or "" for any) -> patterns
}

type glob struct{ pattern, module string }

// ReadIndex reads the index files at the top of a release directory. Only modules.dep must exist.
func ReadIndex(release fs.FS) (*Index, error) {
	x := &Index{
		files: map[string]string{}, needs: map[string][]string{}, wants: map[string][]string{},
		builtin: map[string]bool{}, exact: map[string][]string{}, globs: map[string][]glob{},
	}
	for _, source := range []struct {
		file     string
		required bool
		line     func(string) error
	}{
		{"modules.dep", true, x.addDep},
		{"modules.alias", false, x.addAlias},
		{"modules.softdep", false, x.addSoftdep},
		{"modules.builtin", false, x.addBuiltin},
	} {
		err := readLines(release, source.file, source.line)
		if errors.Is(err, fs.ErrNotExist) && !source.required {
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	return x, nil
}

// Has tells whether a module is available, as a file or inside the kernel.
func (x *Index) Has(name string) bool {
	name = canonical(name)
	return x.builtin[name] || x.files[name] != ""
}

// Resolve returns the modules for a module name or an alias, each once, in index order. A built-in one needs no file
// and is left out; known tells that the name means something, so that nothing to load is not the same as not found.
func (x *Index) Resolve(nameOrAlias string) (modules []string, known bool) {
	name := canonical(nameOrAlias)
	if x.files[name] != "" {
		return []string{name}, true
	}
	candidates := slices.Clone(x.exact[name])
	bus, _, _ := strings.Cut(name, ":")
	for _, key := range slices.Compact([]string{bus, ""}) {
		for _, g := range x.globs[key] {
			if match(g.pattern, name) {
				candidates = append(candidates, g.module)
			}
		}
	}
	known = x.builtin[name]
	for _, module := range candidates {
		known = known || x.Has(module)
		if x.files[module] != "" && !slices.Contains(modules, module) {
			modules = append(modules, module)
		}
	}
	return modules, known
}

func (x *Index) addDep(line string) error {
	file, rest, ok := strings.Cut(line, ":")
	if !ok {
		return errors.New(`expected "file: files"`)
	}
	name, err := moduleName(file)
	if err != nil {
		return err
	}
	x.files[name] = file
	for _, field := range strings.Fields(rest) {
		need, err := moduleName(field)
		if err != nil {
			return err
		}
		x.needs[name] = append(x.needs[name], need)
	}
	return nil
}

func (x *Index) addAlias(line string) error {
	fields := strings.Fields(line)
	if len(fields) != 3 || fields[0] != "alias" {
		return errors.New(`expected "alias pattern module"`)
	}
	pattern, module := canonical(fields[1]), canonical(fields[2])
	if !strings.ContainsAny(pattern, `*?[\`) {
		x.exact[pattern] = append(x.exact[pattern], module)
		return nil
	}
	bus, _, ok := strings.Cut(pattern, ":")
	if !ok || strings.ContainsAny(bus, `*?[\`) {
		bus = ""
	}
	x.globs[bus] = append(x.globs[bus], glob{pattern, module})
	return nil
}

// addSoftdep takes "softdep m pre: a b post: c" and the older "softdep m a b". Order matters for none of the modules
// that this system carries, so both kinds are tried before m.
func (x *Index) addSoftdep(line string) error {
	fields := strings.Fields(line)
	if len(fields) < 2 || fields[0] != "softdep" {
		return errors.New(`expected "softdep module names"`)
	}
	module := canonical(fields[1])
	for _, want := range fields[2:] {
		if want != "pre:" && want != "post:" {
			x.wants[module] = append(x.wants[module], want)
		}
	}
	return nil
}

func (x *Index) addBuiltin(line string) error {
	name, err := moduleName(line)
	if err == nil {
		x.builtin[name] = true
	}
	return err
}

// moduleName refuses paths that leave the release directory.
func moduleName(file string) (string, error) {
	if !fs.ValidPath(file) || !strings.HasSuffix(file, ".ko") {
		return "", fmt.Errorf("%q is not the relative path of a .ko file", file)
	}
	return canonical(strings.TrimSuffix(path.Base(file), ".ko")), nil
}

func readLines(release fs.FS, name string, each func(string) error) error {
	file, err := release.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := parseLines(file, each); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func parseLines(r io.Reader, each func(string) error) error {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20) // a line of modules.dep names a module and all it needs
	for number := 1; scanner.Scan(); number++ {
		line := strings.TrimSpace(scanner.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := each(line); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
	return scanner.Err()
}
