// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// nfsVersions are tried in this order without vers=.
var nfsVersions = []string{"4.2", "4.1", "4.0"}

// mountNFS does what the helper mount.nfs does for version 4: the kernel wants the server's address, and one version.
// Version 3 needs daemons that this system does not have. Spec: nfs(5), "addr", "vers".
func mountNFS(r request, k kernel) error {
	host, err := nfsHost(r.source)
	if err != nil {
		return err
	}
	versions := nfsVersions
	var data []string
	for _, option := range r.options.data {
		name, value, _ := strings.Cut(option, "=")
		switch name {
		case "vers", "nfsvers":
			versions = []string{value}
		case "addr", "clientaddr", "mountaddr":
			return usageError(fmt.Sprintf("option %q is found out from the source", name))
		default:
			data = append(data, option)
		}
	}
	if len(versions) == 1 && !slices.Contains([]string{"4", "4.0", "4.1", "4.2"}, versions[0]) {
		return usageError(fmt.Sprintf("NFS version %q is not supported: expected 4, 4.0, 4.1 or 4.2", versions[0]))
	}
	address, err := k.Resolve(host)
	if err != nil {
		return fmt.Errorf("%s: %w", r.target, err)
	}
	for _, version := range versions {
		all := strings.Join(append(slices.Clone(data), "vers="+version, "addr="+address), ",")
		err = k.Mount(r.source, r.target, "nfs", r.options.flags, all)
		if !errors.Is(err, unix.EPROTONOSUPPORT) && !errors.Is(err, unix.EINVAL) {
			break
		}
	}
	return wrap(r.target, "mount failed", err)
}

// nfsHost takes the server of "host:/path" or "[address]:/path".
func nfsHost(source string) (string, error) {
	host, _, ok := strings.Cut(source, ":/")
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if !ok || host == "" || (strings.Contains(host, ":") && net.ParseIP(host) == nil) {
		return "", usageError(fmt.Sprintf("source %q: expected host:/path", source))
	}
	return host, nil
}
