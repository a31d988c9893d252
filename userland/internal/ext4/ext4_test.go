// SPDX-License-Identifier: Apache-2.0

package ext4

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"dodeka/userland/internal/blockdevice"
)

// makeTemplate is the factory's command (builder/release/volume-templates.ts), by the host's tool.
func makeTemplate(t *testing.T, size string, journal string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "template")
	command := exec.Command("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-m", "0", "-N", "4096", "-J", "size="+journal, "-O",
		"none,has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum,metadata_csum_seed,resize_inode",
		"-U", "6f646564-6b61-8000-8000-000000000001", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard,root_owner=0:0", path, size)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	return file
}

func TestCreateIsAcceptedByFsck(t *testing.T) {
	template := makeTemplate(t, "256M", "16")
	path := filepath.Join(t.TempDir(), "partition")
	if err := os.WriteFile(path, bytes.Repeat([]byte{0xa5}, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 300<<20); err != nil {
		t.Fatal(err)
	}
	storage, err := blockdevice.OpenWritable(path)
	if err != nil {
		t.Fatal(err)
	}
	defer storage.Close()
	id := NewIdentity("EPHEMERAL")
	if err := Create(storage, template, id); err != nil {
		t.Fatal(err)
	}
	backup := make([]byte, superblockBytes)
	if _, err := storage.ReadAt(backup, 32768*blockBytes); err != nil {
		t.Fatal(err)
	}
	primary, err := ReadSuperblock(storage)
	second, backupErr := parseSuperblock(backup)
	if err != nil || backupErr != nil || primary != second {
		t.Errorf("%+v, %v; backup %+v, %v", primary, err, second, backupErr)
	}
	if primary.UUID != id.UUID || primary.Label != "EPHEMERAL" || !primary.ChecksumOK || primary.Bytes() != 256<<20 {
		t.Errorf("got %+v", primary)
	}
	if out, err := exec.Command("e2fsck", "-fn", path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestEveryPowerCutLeavesNoneOrAWholeOne(t *testing.T) {
	template := makeTemplate(t, "16M", "4")
	start := blockdevice.NewRecorder(32<<20, 512)
	if err := Create(start, template, NewIdentity("OLD")); err != nil {
		t.Fatal(err)
	}
	start.Forget()
	disk := start.Clone()
	if err := Create(disk, template, NewIdentity("NEW")); err != nil {
		t.Fatal(err)
	}
	whole := disk.Clone()
	steps := disk.Writes()
	for n := range steps + 1 {
		cut := disk.CutAfter(start, n, 0)
		super, err := ReadSuperblock(cut)
		switch {
		case errors.Is(err, ErrNone):
			if blank, _ := Blank(cut); !blank {
				t.Fatalf("after %d of %d: neither blank nor a file system", n, steps)
			}
		case err != nil || super.Label != "OLD" && super.Label != "NEW" || !super.ChecksumOK:
			t.Fatalf("after %d of %d: %+v, %v", n, steps, super, err)
		case super.Label == "NEW" && n < steps-1:
			t.Fatalf("after %d of %d: a superblock before the rest", n, steps)
		}
	}
	if super, err := ReadSuperblock(whole); err != nil || super.Label != "NEW" {
		t.Errorf("%+v, %v", super, err)
	}
}

func TestCreateRefuses(t *testing.T) {
	template := makeTemplate(t, "16M", "4")
	if err := Create(blockdevice.NewRecorder(8<<20, 512), template, NewIdentity("STATE")); err == nil {
		t.Error("made on storage that is too small")
	}
	if err := Create(blockdevice.NewRecorder(32<<20, 512), template, NewIdentity("A-LABEL-TOO-LONG-")); err == nil {
		t.Error("made with a label that does not fit")
	}
	if err := Create(blockdevice.NewRecorder(32<<20, 512), bytes.NewReader(make([]byte, 1<<20)), NewIdentity("STATE")); err == nil {
		t.Error("made from zeros")
	}
}

func TestReadSuperblockFindsDamage(t *testing.T) {
	template := makeTemplate(t, "16M", "4")
	disk := blockdevice.NewRecorder(32<<20, 512)
	if err := Create(disk, template, NewIdentity("STATE")); err != nil {
		t.Fatal(err)
	}
	_, _ = disk.WriteAt([]byte{1, 2, 3}, superblockOffset+0x200)
	if super, err := ReadSuperblock(disk); err != nil || super.ChecksumOK {
		t.Errorf("%+v, %v", super, err)
	}
}

func FuzzParseSuperblock(f *testing.F) {
	f.Add(make([]byte, superblockBytes))
	huge := make([]byte, superblockBytes) // 2^47 blocks of 64 KiB: more bytes than an int64 holds
	huge[logBlockSizeAt], huge[incompatAt], huge[blocksHighAt+1] = largestLogOfBlocks, incompat64Bit, 1<<7
	f.Add(huge)
	f.Fuzz(func(t *testing.T, data []byte) {
		raw := make([]byte, superblockBytes)
		copy(raw, data)
		raw[magicAt], raw[magicAt+1] = 0x53, 0xef
		if super, err := parseSuperblock(raw); err == nil && super.Bytes() < 0 {
			t.Fatalf("%+v", super)
		}
	})
}
