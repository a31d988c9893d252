// SPDX-License-Identifier: Apache-2.0

package kmod

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// Loader loads each module at most once. It is safe for concurrent use.
type Loader struct {
	index  *Index
	insert func(file string) error // file is relative to the release directory
	slots  chan struct{}
	mu     sync.Mutex
	once   map[string]func() error
	tried  map[string]bool // aliases that were looked up
}

// Failure is a module that did not load.
type Failure struct {
	Module string
	Err    error
}

// Open reads the index of the running kernel's modules below root ("/lib/modules").
func Open(root string) (*Loader, error) {
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return nil, fmt.Errorf("uname: %w", err)
	}
	dir := filepath.Join(root, unix.ByteSliceToString(uts.Release[:]))
	index, err := ReadIndex(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	l := newLoader(index, func(file string) error { return insertFile(filepath.Join(dir, file)) })
	loaded, err := os.ReadFile("/proc/modules")
	if err != nil {
		return nil, err
	}
	l.skipLoaded(string(loaded))
	return l, nil
}

func newLoader(index *Index, insert func(string) error) *Loader {
	return &Loader{
		index: index, insert: insert, slots: make(chan struct{}, runtime.NumCPU()),
		once: map[string]func() error{}, tried: map[string]bool{},
	}
}

// skipLoaded takes the text of /proc/modules: inserting such a module again would only make the kernel read and verify
// the file once more.
func (l *Loader) skipLoaded(modules string) {
	for line := range strings.Lines(modules) {
		name, _, _ := strings.Cut(line, " ")
		l.once[canonical(name)] = func() error { return nil }
	}
}

// LoadNames loads modules by name with all they need. A built-in one is already there. A name that the kernel release
// does not know is an error.
func (l *Loader) LoadNames(names []string) error {
	var modules []string
	for _, name := range names {
		if !l.index.Has(name) {
			return fmt.Errorf("module %q is neither in modules.dep nor in modules.builtin", name)
		}
		if found, _ := l.index.Resolve(name); len(found) > 0 {
			modules = append(modules, found[0])
		}
	}
	if failures := l.loadAll(modules); len(failures) > 0 {
		return fmt.Errorf("module %s: %w", failures[0].Module, failures[0].Err)
	}
	return nil
}

// LoadAliases loads the drivers for hardware aliases, many at a time, and returns those that failed. An alias that was
// asked for before is skipped; one without a driver is no failure; nor is a driver that finds that it is not needed.
func (l *Loader) LoadAliases(aliases []string) []Failure {
	var modules []string
	for _, alias := range aliases {
		l.mu.Lock()
		known := l.tried[alias]
		l.tried[alias] = true
		l.mu.Unlock()
		if !known {
			found, _ := l.index.Resolve(alias)
			modules = append(modules, found...)
		}
	}
	slices.Sort(modules)
	return slices.DeleteFunc(l.loadAll(slices.Compact(modules)), func(f Failure) bool { return errors.Is(f.Err, unix.ENODEV) })
}

// Damaged returns the failure that means that the file could not be read: dm-verity answers so to a changed image. A
// driver that merely does not start is no reason to give up a boot; this is one.
func Damaged(failures []Failure) error {
	for _, f := range failures {
		if errors.Is(f.Err, unix.EIO) {
			return fmt.Errorf("module %s: %w", f.Module, f.Err)
		}
	}
	return nil
}

// Request serves one request of the kernel: a module name or an alias. An unknown one is an error.
func (l *Loader) Request(nameOrAlias string) error {
	modules, known := l.index.Resolve(nameOrAlias)
	if !known {
		return fmt.Errorf("no module for %q", nameOrAlias)
	}
	if failures := l.loadAll(modules); len(failures) > 0 {
		return fmt.Errorf("module %s: %w", failures[0].Module, failures[0].Err)
	}
	return nil
}

func (l *Loader) loadAll(modules []string) []Failure {
	failures := make([]Failure, len(modules))
	var wait sync.WaitGroup
	for i, module := range modules {
		wait.Go(func() { failures[i] = Failure{module, l.load(module)} })
	}
	wait.Wait()
	return slices.DeleteFunc(failures, func(f Failure) bool { return f.Err == nil })
}

// load inserts the modules of one order after each other. Two orders may share modules: whoever comes second waits.
func (l *Loader) load(module string) error {
	for _, s := range l.index.order(module) {
		if err := l.insertOnce(s.module); err != nil && !s.optional {
			if s.module != module {
				return fmt.Errorf("needs %s: %w", s.module, err)
			}
			return err
		}
	}
	return nil
}

func (l *Loader) insertOnce(module string) error {
	l.mu.Lock()
	once := l.once[module]
	if once == nil {
		once = sync.OnceValue(func() error { return l.insertGuarded(module) })
		l.once[module] = once
	}
	l.mu.Unlock()
	return once()
}

func (l *Loader) insertGuarded(module string) error {
	file := l.index.files[module]
	if file == "" {
		return fmt.Errorf("module %q is not in modules.dep", module)
	}
	l.slots <- struct{}{}
	defer func() { <-l.slots }()
	return l.insert(file)
}

// insertFile hands a file to the kernel, which verifies its signature where the kernel demands one.
func insertFile(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	err = unix.FinitModule(int(file.Fd()), parameters(path), 0)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

// parameters keep drivers from making first links that nobody asked for: bond0, dummy0, ifb0 and ifb1.
func parameters(file string) string {
	name, _, _ := strings.Cut(filepath.Base(file), ".")
	return map[string]string{"bonding": "max_bonds=0", "dummy": "numdummies=0", "ifb": "numifbs=0"}[name]
}

// Names reads a list of module names, one a line; "#" starts a comment.
func Names(text string) []string {
	var names []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			names = append(names, line)
		}
	}
	return names
}
