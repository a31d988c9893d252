// SPDX-License-Identifier: Apache-2.0

package reset

import (
	"context"
	"errors"
	"strings"
	"testing"

	"dodeka/userland/internal/metastore"
	"dodeka/userland/internal/partition"
)

func TestResumeFinishesWhatWasBegun(t *testing.T) {
	m := newMachine(t)
	if resumed, err := Resume(context.Background(), m.request); resumed != Nothing || err != nil {
		t.Fatalf("without a plan: %v, %v", resumed, err)
	}
	text, _ := plan{Partitions: []string{"STATE", "EPHEMERAL"}, Disks: []string{"/dev/disk/by-id/ata-B_1", "/dev/disk/by-id/gone"}}.encode()
	if err := m.request.Meta.Set(metastore.ResetInProgress, text); err != nil {
		t.Fatal(err)
	}
	r := m.request
	r.Meta = m.meta(t) // the machine was rebooted
	resumed, err := Resume(context.Background(), r)
	if resumed != Finished || err != nil {
		t.Fatalf("%v, %v", resumed, err)
	}
	if m.holds(t, "STATE") || m.holds(t, "EPHEMERAL") || m.userDiskHolds(t) {
		t.Error("something is left")
	}
	if resumed, _ := Resume(context.Background(), Request{Meta: m.meta(t)}); resumed != Nothing {
		t.Error("the plan is left")
	}
}

func TestResumeTellsThatTheSystemDiskIsGone(t *testing.T) {
	m := newMachine(t)
	text, _ := plan{Whole: true}.encode()
	if err := m.request.Meta.Set(metastore.ResetInProgress, text); err != nil {
		t.Fatal(err)
	}
	if resumed, err := Resume(context.Background(), m.request); resumed != DiskGone || err != nil {
		t.Fatalf("%v, %v", resumed, err)
	}
	disk := m.open(t, "sda")
	defer disk.Close()
	if _, err := partition.Read(disk); !errors.Is(err, partition.ErrNoTable) {
		t.Errorf("partition table: %v", err)
	}
}

func TestAWipedMetaDoesNotComeBackWithTheNextValue(t *testing.T) {
	m := newMachine(t)
	text, _ := plan{Partitions: []string{"STATE", "META"}}.encode()
	if err := m.request.Meta.Set(metastore.ResetInProgress, text); err != nil {
		t.Fatal(err)
	}
	if resumed, err := Resume(context.Background(), m.request); resumed != Finished || err != nil {
		t.Fatalf("%v, %v", resumed, err)
	}
	if err := m.request.Meta.Set(1, "value"); err != nil {
		t.Fatal(err)
	}
	if _, ok := m.meta(t).Get(metastore.ResetInProgress); ok {
		t.Error("the next boot would wipe again")
	}
}

func TestResumeDropsAPlanThatCannotBeRead(t *testing.T) {
	for _, text := range []string{"", "x", "{}", `{"partitions":["EFI"]}`, `{"disks":` + strings.Repeat("[", 1000)} {
		m := newMachine(t)
		if err := m.request.Meta.Set(metastore.ResetInProgress, text); err != nil {
			t.Fatal(err)
		}
		if resumed, err := Resume(context.Background(), m.request); resumed != Nothing || err == nil {
			t.Errorf("%.20q: %v, %v", text, resumed, err)
		}
		if _, ok := m.meta(t).Get(metastore.ResetInProgress); ok {
			t.Errorf("%.20q is left", text)
		}
	}
}
