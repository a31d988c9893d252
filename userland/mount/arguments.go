// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// request is a checked command line of mount.
type request struct {
	list    bool
	version bool
	kind    string // of file system; empty to find out
	options options
	source  string
	target  string
}

// words are the command line's words for options, without a value.
var words = map[string]string{
	"-r": "ro", "--read-only": "ro", "-w": "rw", "--rw": "rw", "--read-write": "rw",
	"-B": "bind", "--bind": "bind", "-R": "rbind", "--rbind": "rbind",
}

// ignored change nothing here: there is no mtab and no helper, paths are used as they are, and nothing is said.
var ignored = map[string]bool{
	"-c": true, "--no-canonicalize": true, "-i": true, "--internal-only": true, "-n": true, "--no-mtab": true,
	"-v": true, "--verbose": true,
}

// parseMount accepts "mount [flags] [-t kind] [-o options] [source] target", the options in any order.
func parseMount(arguments []string) (request, error) {
	var r request
	var places []string
	listing := len(arguments) == 0
	for len(arguments) > 0 {
		word := arguments[0]
		arguments = arguments[1:]
		value, valued, err := valueOf(word, &arguments)
		switch {
		case err != nil:
			return r, err
		case valued == "-t":
			r.kind = value
		case valued == "-o":
			err = r.options.parse(value)
		case word == "--":
			places, arguments = append(places, arguments...), nil
		case words[word] != "":
			err = r.options.parse(words[word])
		case strings.HasPrefix(word, "--make-") && propagations[word[len("--make-"):]] != 0:
			err = r.options.parse(word[len("--make-"):])
		case ignored[word]:
		case word == "-l" || word == "--show-labels":
			listing = true
		case word == "-V" || word == "--version":
			r.version = true
		case strings.HasPrefix(word, "-"):
			err = usageError(fmt.Sprintf("option %q is not known", word))
		default:
			places = append(places, word)
		}
		if err != nil {
			return r, err
		}
	}
	return r, r.place(places, listing)
}

// valueOf takes the value of -t and -o: in the same word or in the next one.
func valueOf(word string, rest *[]string) (value, option string, err error) {
	for _, one := range []struct{ short, long string }{{"-t", "--types"}, {"-o", "--options"}} {
		if value, ok := strings.CutPrefix(word, one.long+"="); ok {
			return value, one.short, nil
		}
		if value, ok := strings.CutPrefix(word, one.short); ok && value != "" {
			return value, one.short, nil
		}
		if word != one.short && word != one.long {
			continue
		}
		if len(*rest) == 0 {
			return "", "", usageError(fmt.Sprintf("option %q needs a value", word))
		}
		value, *rest = (*rest)[0], (*rest)[1:]
		return value, one.short, nil
	}
	return "", "", nil
}

func (r *request) place(places []string, listing bool) error {
	for _, place := range places {
		if place == "" || strings.ContainsRune(place, 0) {
			return usageError("a path is empty")
		}
	}
	switch len(places) {
	case 0:
		r.list = listing
		if !r.list && !r.version {
			return usageError("no mount point is given")
		}
	case 1:
		r.target = places[0]
	case 2:
		r.source, r.target = places[0], places[1]
	default:
		return usageError(fmt.Sprintf("%d paths are given, expected a source and a mount point", len(places)))
	}
	if strings.ContainsAny(r.kind, ",/") || strings.HasPrefix(r.kind, "no") && r.kind != "none" {
		return usageError(fmt.Sprintf("type %q: expected one file system", r.kind))
	}
	for _, tag := range []string{"LABEL=", "UUID=", "PARTLABEL=", "PARTUUID=", "ID="} {
		if strings.HasPrefix(r.source, tag) {
			return usageError(fmt.Sprintf("source %q: expected a path; labels and UUIDs are not looked up", r.source))
		}
	}
	return nil
}
