// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/screen"
	"dodeka/userland/internal/sysfs"
)

// setHostname gives the machine a name of its own that is the same at every boot: from the address of the first
// Ethernet interface. A DHCP server may give a better one later.
func setHostname(s *system) error {
	sys := os.DirFS("/sys")
	name := "dodeka"
	if links := sysfs.Ethernets(sys); len(links) > 0 {
		name = hostnameOf(sysfs.ReadText(sys, "class/net/"+links[0]+"/address"))
	}
	return s.takeHostname(name)
}

// hostnameOf uses the last three bytes of a hardware address, those that a maker counts up.
func hostnameOf(address string) string {
	digits := strings.ReplaceAll(address, ":", "")
	if len(digits) < 6 || strings.Trim(digits, "0123456789abcdef") != "" {
		return "dodeka"
	}
	return "dodeka-" + digits[len(digits)-6:]
}

func (s *system) takeHostname(name string) error {
	if err := unix.Sethostname([]byte(name)); err != nil {
		return err
	}
	s.board.Change(func(status *screen.Status) { status.Hostname = name })
	return s.files.setHostname(name)
}
