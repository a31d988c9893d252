// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/media"
	"dodeka/userland/internal/sysfs"
	"dodeka/userland/internal/uevent"
)

const (
	findTimeout = 30 * time.Second
	findPause   = 250 * time.Millisecond // between looks when the kernel announces nothing
	findQuiet   = 20 * time.Millisecond  // after the last announcement of a burst
	mediaMount  = "/run/dodeka/media"    // below /run, so that it moves along to the root
	carried     = "/esp"                 // in the initramfs of an image without a medium: what a medium would hold
)

// findRoot looks in the initramfs, then on media as they appear. What it takes is at mediaMount afterwards.
func findRoot(b *boot) error {
	path := "dodeka/" + b.cmdline.RootImageName()
	if err := os.MkdirAll(mediaMount, 0o755); err != nil {
		return err
	}
	image, err := openCarried(path)
	if err == nil {
		b.image = image
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("initramfs: %w", err)
	}
	events, err := uevent.Listen()
	if err != nil {
		return err
	}
	defer events.Close()
	return b.searchMedia(path, events)
}

// openCarried lets the folder of the initramfs stand for a medium, read-only and for the whole life of the machine: an
// installation copies what is in it.
func openCarried(path string) (*os.File, error) {
	if _, err := os.Lstat(carried); err != nil {
		return nil, err
	}
	if err := unix.Mount(carried, mediaMount, "", unix.MS_BIND, ""); err != nil {
		return nil, fmt.Errorf("bind %s: %w", carried, err)
	}
	const flags = unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY | unix.MS_NODEV | unix.MS_NOSUID | unix.MS_NOEXEC
	if err := unix.Mount("", mediaMount, "", flags, ""); err != nil {
		return nil, fmt.Errorf("remount %s: %w", mediaMount, err)
	}
	image, err := media.OpenBelow(mediaMount, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no %s", carried, path) // another image's: no medium can make this one whole
	}
	return image, err
}

func (b *boot) searchMedia(path string, events *uevent.Listener) error {
	search := newSearch(func(device string) (*os.File, error) { return media.OpenOn(device, mediaMount, path) })
	deadline := time.Now().Add(findTimeout)
	for {
		b.loadHardwareDrivers()
		if image := search.look(sysfs.Blocks(os.DirFS("/sys"))); image != nil {
			b.image, b.direct = image, true
			return nil
		}
		now := time.Now()
		if now.After(deadline) {
			return fmt.Errorf("no %s in the initramfs or on a medium within %.0f s; %s", path, findTimeout.Seconds(), search.verdicts())
		}
		waitForDevices(events, now.Add(findPause))
	}
}

// waitForDevices returns when announcements have come and ceased for a moment, or at the deadline. A bus with hundreds
// of devices must not be looked at once per device.
func waitForDevices(events *uevent.Listener, deadline time.Time) {
	_, err := events.Next(deadline)
	for err == nil && time.Now().Before(deadline) {
		_, err = events.Next(time.Now().Add(findQuiet))
	}
}

// search remembers why each device was not the one, so that it is neither mounted twice nor forgotten.
type search struct {
	open   func(device string) (*os.File, error)
	seen   []string
	reason map[string]string // by device
	final  map[string]bool   // by device, length and medium
}

func newSearch(open func(string) (*os.File, error)) *search {
	return &search{open: open, reason: map[string]string{}, final: map[string]bool{}}
}

// look tries the devices that have not been ruled out and returns the image, or nil.
func (s *search) look(blocks []sysfs.Block) *os.File {
	for _, block := range blocks {
		key := fmt.Sprintf("%s %d %s", block.Name, block.Sectors, block.Serial)
		if s.final[key] {
			continue
		}
		if _, known := s.reason[block.Name]; !known {
			s.seen = append(s.seen, block.Name)
		}
		if block.Sectors == 0 {
			s.reason[block.Name] = "no medium"
			continue
		}
		image, err := s.open("/dev/" + block.Name)
		if err == nil {
			return image
		}
		s.reason[block.Name] = err.Error()
		s.final[key] = errors.Is(err, media.ErrOther) || errors.Is(err, fs.ErrNotExist)
	}
	return nil
}

// verdicts lists each device with its reason.
func (s *search) verdicts() string {
	if len(s.seen) == 0 {
		return "no block device appeared"
	}
	var list []string
	for _, name := range s.seen {
		list = append(list, name+": "+s.reason[name])
	}
	return strings.Join(list, "; ")
}
