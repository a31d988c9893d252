// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net"
	"os"
	"time"

	"dodeka/userland/internal/platform"
	"dodeka/userland/internal/settings"
	"dodeka/userland/internal/sysfs"
)

// platformWait is how long boot waits for a source on the network; after that the machine is in maintenance mode, and
// goes on asking.
const platformWait = 30 * time.Second

func (s *system) configurationSources() ([]settings.Source, error) {
	options := platform.Options{
		URL:        s.cmdline.ConfigURL,
		OpenVolume: platform.Media{Sys: "/sys", Dev: "/dev", Run: "/run/dodeka"}.Open,
		SMBIOS:     platform.DMI("/sys/class/dmi/id"),
		MAC:        firstAddress, Hostname: hostname, LinkByMAC: linkByMAC, Log: s.log,
	}
	return platform.Sources(s.cmdline.Platform, options, settings.EmbeddedPath, s.tookMetadata)
}

func (s *system) tookMetadata(found platform.Metadata) {
	s.report("platform", platform.Publish(context.Background(), s.os.State, found))
}

// readConfiguration reads the sources that need no network. A machine without any goes on without configuration.
func readConfiguration(s *system) error {
	_, err := s.settings.AcquireLocal(context.Background())
	s.report("config", err)
	return nil
}

// askPlatform reads the sources on the network.
func askPlatform(s *system) error {
	if s.settings.Complete() {
		return nil
	}
	done := make(chan struct{})
	s.guard("platform", func() {
		defer close(done)
		_, err := s.settings.Acquire(context.Background())
		s.report("config", err)
	})
	select {
	case <-done:
	case <-s.settings.Completed():
	case <-time.After(platformWait):
		s.log("config: no answer from the platform within %.0f s, going on", platformWait.Seconds())
	}
	return nil
}

func hostname() string {
	name, _ := os.Hostname()
	return name
}

func firstAddress() string {
	sys := os.DirFS("/sys")
	for _, link := range sysfs.Ethernets(sys) {
		return sysfs.ReadText(sys, "class/net/"+link+"/address")
	}
	return ""
}

func linkByMAC(address string) (string, bool) {
	links, err := net.Interfaces()
	if err != nil {
		return "", false
	}
	for _, link := range links {
		if link.HardwareAddr.String() == address {
			return link.Name, true
		}
	}
	return "", false
}
