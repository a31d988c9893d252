// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net"
	"os"
	"time"

	"dodeka/userland/internal/ifname"
	"dodeka/userland/internal/platform"
	"dodeka/userland/internal/settings"
	"dodeka/userland/internal/sysfs"
)

// platformWait is how long boot waits for a source on the network; after that the machine is in maintenance mode, and
// goes on asking.
const platformWait = 30 * time.Second

func (s *system) configurationSources() ([]settings.Source, error) {
	return platform.Sources(s.cmdline.Platform, s.platformOptions(), settings.EmbeddedPath, s.tookMetadata)
}

func (s *system) platformOptions() platform.Options {
	return platform.Options{
		URL:        s.cmdline.ConfigURL,
		OpenVolume: platform.Media{Sys: "/sys", Dev: "/dev", Run: "/run/dodeka"}.Open,
		SMBIOS:     platform.DMI("/sys/class/dmi/id"),
		MAC:        firstAddress, Hostname: hostname, LinkByMAC: s.linkByMAC, Log: s.log,
	}
}

func (s *system) tookMetadata(found platform.Metadata) {
	s.described.Store(true)
	s.report("platform", platform.Publish(context.Background(), s.os.State, found))
}

// readConfiguration reads the sources that need no network. A machine without any goes on without configuration.
func readConfiguration(s *system) error {
	complete, err := s.settings.AcquireLocal(context.Background())
	s.report("config", err)
	if complete && !s.described.Load() {
		s.guard("platform", func() {
			s.report("platform", platform.Describe(context.Background(), s.cmdline.Platform, s.platformOptions(), s.tookMetadata))
		})
	}
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

// linkByMAC returns the name that a link has, or gets when the network is started: what reads it may come before that.
func (s *system) linkByMAC(address string) (string, bool) {
	links, err := net.Interfaces()
	if err != nil {
		return "", false
	}
	for _, link := range links {
		if link.HardwareAddr.String() != address {
			continue
		}
		sys := os.DirFS("/sys")
		if name := ifname.Of(sys, link.Name); name != "" && predictableNames(s.text) && ifname.Renames(sys, link.Name) {
			return name, true
		}
		return link.Name, true
	}
	return "", false
}
