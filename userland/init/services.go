// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"dodeka/userland/internal/access"
	"dodeka/userland/internal/dashboardview"
	"dodeka/userland/internal/kubelet"
	"dodeka/userland/internal/podnetwork"
	"dodeka/userland/internal/services"
)

const (
	codeFile    = "/run/dodeka/maintenance-code" // for the dashboard alone
	serviceStep = 50 * time.Millisecond
	headStart   = 5 * time.Second  // for apid, before the other services start
	serviceWait = 20 * time.Second // for apid to listen, before the machine calls itself ready
)

// startServices starts what every machine runs, the API first: the others would take the processors away from it. The
// container runtime and what needs it come with a configuration.
func startServices(s *system) error {
	if !s.settings.Complete() {
		if err := s.openMaintenance(); err != nil {
			return err
		}
	}
	table := services.Table(services.Machine{State: s.os.State, Screen: s.screen(), Lines: lineConsoles(), CodeFile: codeFile})
	if err := s.services.Add(table...); err != nil {
		return err
	}
	s.startEach(services.Machined, services.APID)
	isUp := apiListens(headStart)
	s.startEach(services.Trustd, services.Dashboard)
	if !isUp && !apiListens(serviceWait-headStart) {
		s.log("services: apid does not listen yet, going on")
	}
	return nil
}

func (s *system) startEach(ids ...string) {
	for _, id := range ids {
		s.report("services", s.services.Start(context.Background(), id))
	}
}

// apiListens asks often: the health check of the service comes round too rarely to measure a boot by.
func apiListens(within time.Duration) bool {
	listening := services.Listening("tcp", "127.0.0.1:50000")
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(serviceStep) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		err := listening(ctx)
		cancel()
		if err == nil {
			return true
		}
	}
	return false
}

// startWorkloads starts the container runtime once the machine has a place for containers.
func startWorkloads(s *system) error {
	if _, err := os.Stat("/usr/bin/containerd"); errors.Is(err, os.ErrNotExist) {
		return nil // an image without it
	}
	if err := openPodPlaces("/var"); err != nil {
		return err
	}
	if err := podnetwork.Write(podnetwork.Folder, s.settings.Active().Cluster().Network()); err != nil {
		return err
	}
	if err := s.services.Start(context.Background(), services.Containerd); err != nil {
		return err
	}
	return errors.Join(s.startEtcd(), s.startPods())
}

// startPods starts the kubelet on a machine whose configuration names pods.
func (s *system) startPods() error {
	args, err := kubelet.Prepare(s.settings.Active().Machine())
	if err != nil || len(args) == 0 {
		return err
	}
	if err := s.services.Add(services.KubeletOf(args)); err != nil {
		return err
	}
	return s.services.Start(context.Background(), services.Kubelet)
}

// screen is the virtual terminal that the dashboard draws on.
func (s *system) screen() string {
	if !dashboardInstalled() {
		return ""
	}
	if _, err := os.Stat("/dev/tty1"); err != nil {
		return ""
	}
	return "/dev/tty1"
}

// lineConsoles are those that show one line after the other: serial ports and the like.
func lineConsoles() (devices []string) {
	text, _ := os.ReadFile("/sys/class/tty/console/active")
	for _, name := range strings.Fields(string(text)) {
		digits, virtual := strings.CutPrefix(name, "tty")
		if filepath.IsLocal(name) && (!virtual || strings.Trim(digits, "0123456789") != "") {
			devices = append(devices, "/dev/"+name)
		}
	}
	return devices
}

func dashboardInstalled() bool {
	_, err := os.Stat("/sbin/dashboard")
	return err == nil
}

// showCode tells whoever stands in front of the machine.
func (s *system) showCode(code string) {
	s.tellCode(code)
	s.report("maintenance", dashboardview.WriteCode(codeFile, code, access.DashboardUser))
}

// tellCode leaves the kernel log out: every caller of a machine without configuration may read it.
func (s *system) tellCode(code string) {
	s.out.Aside(fmt.Sprintf("dodeka: maintenance code %s (write \"# dodeka-code: %s\" into the configuration)", code, code))
}
