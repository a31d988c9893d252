// SPDX-License-Identifier: Apache-2.0

// modprobe serves the kernel's own requests for modules: "modprobe -q -- alias". It loads from /lib/modules of the
// running kernel only, and takes names and aliases, never paths, options or parameters.
// Spec: modprobe(8); Linux kernel/module/kmod.c (call_modprobe).
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"dodeka/userland/internal/kmod"
)

const modulesRoot = "/lib/modules"

func main() {
	request, err := parseArguments(os.Args[1:])
	if err == nil {
		err = serve(request)
	}
	if err == nil {
		return
	}
	if !request.quiet {
		fmt.Fprintf(os.Stderr, "modprobe: %v\n", err)
	}
	os.Exit(1)
}

// request is a checked command line.
type request struct {
	quiet bool
	names []string
}

var errPath = errors.New("expected a module name or an alias, not a path")

// parseArguments accepts what the kernel and container runtimes pass. -b (blacklist) changes nothing: there is none.
// Without -a only the first word is a name; what follows would be module parameters, which are refused.
func parseArguments(arguments []string) (request, error) {
	var r request
	all, options := false, true
	for _, argument := range arguments {
		switch {
		case options && argument == "--":
			options = false
		case options && (argument == "-q" || argument == "--quiet"):
			r.quiet = true
		case options && (argument == "-a" || argument == "--all"):
			all = true
		case options && (argument == "-b" || argument == "--use-blacklist"):
		case options && strings.HasPrefix(argument, "-"):
			return r, fmt.Errorf("option %q is not known; known are -q, -b, -a and --", argument)
		case argument == "" || strings.ContainsAny(argument, "/\x00") || strings.HasSuffix(argument, ".ko"):
			return r, fmt.Errorf("%q: %w", argument, errPath)
		default:
			r.names = append(r.names, argument)
		}
	}
	if len(r.names) == 0 {
		return r, errors.New("no module name given")
	}
	if len(r.names) > 1 && !all {
		return r, fmt.Errorf("module parameter %q is not supported; give -a to load several modules", r.names[1])
	}
	return r, nil
}

func serve(r request) error {
	loader, err := kmod.Open(modulesRoot)
	if err != nil {
		return err
	}
	var failures []error
	for _, name := range r.names {
		failures = append(failures, loader.Request(name))
	}
	return errors.Join(failures...)
}
