// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/hostfiles"
	"dodeka/userland/internal/linkspec"
	"dodeka/userland/internal/network"
	"dodeka/userland/internal/screen"
)

// hostFilesDir is where links in the read-only /etc point.
const hostFilesDir = "/run/dodeka"

// setHostname gives the machine a name of its own that is the same at every boot. The network finds a better one later,
// or keeps it.
func setHostname(s *system) error {
	identity := network.IdentityOf(os.DirFS("/sys"))
	name := linkspec.StableHostname(identity.UUID, identity.MAC)
	if err := unix.Sethostname([]byte(name)); err != nil {
		return err
	}
	s.board.Change(func(status *screen.Status) { status.Hostname = name })
	return hostfiles.Write(hostFilesDir, hostfiles.Content{Hostname: name})
}
