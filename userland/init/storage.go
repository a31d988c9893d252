// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dodeka/userland/internal/disks"
	"dodeka/userland/internal/machineapi"
	"dodeka/userland/internal/metastore"
	"dodeka/userland/internal/reset"
	"dodeka/userland/internal/sequence"
	"dodeka/userland/internal/volumes"
)

// storage is what the machine has on disks. Its zero value is a machine that is not installed.
type storage struct {
	mu      sync.Mutex
	system  string // device of the system disk, "/dev/sda"; empty without one
	meta    *metastore.Store
	making  sync.Mutex
	state   bool // STATE is mounted
	refresh chan struct{}
	target  target    // of an installation
	pending bool      // volumes and workloads are being started
	failed  [2]string // phase and reason, when the machine could not be made what the configuration asks for
}

func (d *storage) setPending(yes bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending = yes
}

func (d *storage) isPending() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pending
}

func (d *storage) setFailure(name, reason string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failed = [2]string{name, reason}
}

func (d *storage) failure() (name, reason string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failed[0], d.failed[1]
}

// installedOnto notes the disk that the running version was just put onto.
func (d *storage) installedOnto(disk string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.system = disk
}

func (d *storage) installed() bool { return d.disk() != "" }

func (d *storage) disk() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.system
}

// found notes where the system is installed. The store is nil when META cannot be read.
func (d *storage) found(disk string, meta *metastore.Store) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.system, d.meta = disk, meta
}

// store is META, or nil. Calls of the API ask for it while boot still looks for the system disk.
func (d *storage) store() *metastore.Store {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.meta
}

// openMeta looks for the system disk, finishes a reset that a power cut ended, and from then on follows the disks. A
// META that cannot be read costs what it holds, not the boot.
func openMeta(s *system) error {
	s.storage.refresh = make(chan struct{}, 1)
	s.findSystemDisk()
	if meta := s.storage.store(); meta != nil {
		s.resumeReset()
		s.report("meta", meta.Publish(context.Background(), s.os.State))
		s.examineAttempt()
	}
	s.guard("disks", func() {
		options := disks.Options{State: s.os.State, Sys: "/sys", Proc: "/proc", Log: s.log}
		s.report("disks", disks.Watch(context.Background(), options, s.storage.refresh))
	})
	return nil
}

// resumeReset does not return when the disk that the machine booted from is gone.
func (s *system) resumeReset() {
	resumed, err := reset.Resume(context.Background(), s.resetRequest())
	s.report("reset", err)
	if err != nil || resumed == reset.Nothing {
		return
	}
	s.log("reset: finished what was begun before")
	if resumed == reset.DiskGone {
		s.finish(sequence.Request{Kind: sequence.Reboot})
	}
}

// findSystemDisk fills in where the system is installed.
func (s *system) findSystemDisk() {
	inventory, err := disks.Take("/sys", "/proc", false)
	if err != nil {
		s.report("disks", err)
		return
	}
	disk, found := inventory.Disk(inventory.System)
	if !found {
		return
	}
	partition, _ := disk.Partition(disks.LabelMeta)
	meta, err := metastore.Open(partition.DevPath)
	s.report("meta", err)
	s.storage.found(disk.DevPath, meta)
}

// mountState mounts STATE where the system disk has it. Making it is for a machine that has a configuration to keep.
func mountState(s *system) error {
	disk := s.storage.disk()
	if disk == "" {
		return nil
	}
	dir, err := volumes.MountState(context.Background(), disk)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		s.report("state", err)
		return nil
	}
	s.storage.state = true
	s.report("state", s.settings.UseStateDir(dir))
	return nil
}

// makeState makes STATE and keeps the configuration there.
func makeState(s *system) error {
	s.storage.making.Lock()
	defer s.storage.making.Unlock()
	if s.storage.state {
		return nil
	}
	dir, err := volumes.EnsureState(context.Background(), s.storage.disk())
	if err != nil {
		return err
	}
	s.storage.state = true
	s.refreshDisks()
	return s.settings.UseStateDir(dir)
}

func makeEphemeral(s *system) error {
	_, err := volumes.EnsureEphemeral(context.Background(), s.storage.disk())
	s.refreshDisks()
	return err
}

func (s *system) refreshDisks() {
	select {
	case s.storage.refresh <- struct{}{}:
	default:
	}
}

// publishedMeta shows every change of META as resources.
type publishedMeta struct {
	s     *system
	store *metastore.Store
}

func (m publishedMeta) Get(tag uint8) (string, bool) { return m.store.Get(tag) }

func (m publishedMeta) Set(tag uint8, value string) error {
	if err := m.store.Set(tag, value); err != nil {
		return err
	}
	return m.store.Publish(context.Background(), m.s.os.State)
}

func (m publishedMeta) Delete(tag uint8) error {
	if err := m.store.Delete(tag); err != nil {
		return err
	}
	return m.store.Publish(context.Background(), m.s.os.State)
}

func (s *system) openedMeta() machineapi.Meta {
	meta := s.storage.store()
	if meta == nil {
		return nil
	}
	return publishedMeta{s, meta}
}

func (s *system) resetRequest() reset.Request {
	return reset.Request{SystemDisk: s.storage.disk(), Meta: s.storage.store(), Progress: func(text string) { s.log("reset: %s", text) }}
}

// wipeRequest is what a client's request means here. Without any name, the whole system disk goes.
func (s *system) wipeRequest(r *machine.ResetRequest) reset.Request {
	request := s.resetRequest()
	for _, partition := range r.SystemPartitionsToWipe {
		if partition.Wipe {
			request.Partitions = append(request.Partitions, partition.Label)
		}
	}
	request.Disks = r.UserDisksToWipe
	request.WholeDisk = len(r.SystemPartitionsToWipe) == 0 && r.Mode != machine.ResetRequest_USER_DISKS
	return request
}

// checkReset refuses what could not be carried out, before the machine goes down for it.
func (s *system) checkReset(r *machine.ResetRequest) error {
	refuse := func(format string, values ...any) error {
		return status.Error(codes.FailedPrecondition, fmt.Sprintf(format, values...))
	}
	request := s.wipeRequest(r)
	if request.SystemDisk == "" && (request.WholeDisk || len(request.Partitions) > 0) {
		return refuse("this machine is not installed: there is no system disk to wipe")
	}
	for _, label := range request.Partitions {
		if !slices.Contains([]string{disks.LabelState, disks.LabelEphemeral, disks.LabelMeta}, label) {
			return refuse("partition %q: expected STATE, EPHEMERAL or META", label)
		}
	}
	if !request.WholeDisk && len(request.Partitions) == 0 && len(request.Disks) == 0 {
		return refuse("the request names nothing to wipe")
	}
	all, err := disks.List("/sys")
	if err != nil {
		return err
	}
	for _, name := range request.Disks {
		found := slices.IndexFunc(all, func(d disks.Disk) bool { return d.DevPath == name || slices.Contains(d.Symlinks, name) })
		switch {
		case found < 0:
			return refuse("disk %q does not exist", name)
		case all[found].ReadOnly:
			return refuse("disk %q is read-only", name)
		case all[found].DevPath == request.SystemDisk:
			return refuse("disk %q is the system disk", name)
		}
	}
	return nil
}
