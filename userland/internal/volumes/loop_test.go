// SPDX-License-Identifier: Apache-2.0

package volumes

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/blockdevice"
	"dodeka/userland/internal/ext4"
)

// onLoop attaches a disk of the factory's layout, or skips where no loop devices with partitions can be had.
func onLoop(t *testing.T, size int64) string {
	t.Helper()
	if _, err := exec.LookPath("losetup"); err != nil || os.Getuid() != 0 {
		t.Skip("losetup as root is missing")
	}
	path := filepath.Join(t.TempDir(), "disk")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, size)); err != nil {
		t.Fatal(err)
	}
	file, err := blockdevice.OpenWritable(path)
	if err != nil {
		t.Fatal(err)
	}
	image := shipped(t)
	chunk := make([]byte, mib)
	for at := int64(0); at < image.Size(); at += mib {
		_, _ = image.ReadAt(chunk, at)
		if !bytes.Equal(chunk, make([]byte, mib)) {
			_, _ = file.WriteAt(chunk, at)
		}
	}
	_ = file.Close()
	out, err := exec.Command("losetup", "-P", "-f", "--show", path).Output()
	if err != nil {
		t.Skipf("no loop device: %v", err)
	}
	loop := strings.TrimSpace(string(out))
	t.Cleanup(func() { _ = exec.Command("losetup", "-d", loop).Run() })
	return loop
}

// keeper mounts below a temporary directory.
func keeper(t *testing.T, volumes ...*Volume) *Keeper {
	t.Helper()
	mke2fs, err := exec.LookPath("mke2fs")
	if err != nil {
		t.Skip("mke2fs is missing")
	}
	k := System()
	k.Templates = t.TempDir()
	for _, v := range volumes {
		v.MountPoint = t.TempDir()
		t.Cleanup(func() { _ = unix.Unmount(v.MountPoint, unix.MNT_DETACH) })
		command := exec.Command(mke2fs, "-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-N", "2048", "-J", "size=4",
			"-O", "64bit,metadata_csum,metadata_csum_seed", "-E", "lazy_itable_init=0,nodiscard", filepath.Join(k.Templates, v.Template), "32M")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	grow := k.Grow
	k.Grow = func(dir string, size int64) error {
		err := grow(dir, size)
		if errors.Is(err, unix.EPERM) {
			t.Logf("growing needs CAP_SYS_RESOURCE: %v", err)
			return nil
		}
		return err
	}
	return k
}

func TestVolumesOnALoopDevice(t *testing.T) {
	disk := onLoop(t, 1<<30)
	state, ephemeral := State, Ephemeral
	k := keeper(t, &state, &ephemeral)
	ctx := context.Background()
	if _, err := k.MountExisting(ctx, disk, state); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("STATE before it was made: %v", err)
	}
	if _, err := k.Ensure(ctx, disk, state); err != nil {
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENODEV) || errors.Is(err, fs.ErrNotExist) {
			t.Skipf("this kernel or sandbox cannot: %v", err)
		}
		t.Fatal(err)
	}
	if _, err := k.Ensure(ctx, disk, state); err != nil {
		t.Fatal("a second time:", err)
	}
	// EPHEMERAL is added while STATE of the same disk is mounted.
	if _, err := k.Ensure(ctx, disk, ephemeral); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(state.MountPoint, "kept"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, v := range []Volume{state, ephemeral} {
		if err := unix.Unmount(v.MountPoint, 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := k.MountExisting(ctx, disk, state); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(state.MountPoint, "kept")); err != nil {
		t.Error("what was written is gone:", err)
	}
	if err := unix.Unmount(state.MountPoint, 0); err != nil {
		t.Fatal(err)
	}
	checkUntouched(t, k, disk, state)
}

// checkUntouched puts something else onto STATE: it must be refused and stay as it is.
func checkUntouched(t *testing.T, k *Keeper, disk string, v Volume) {
	node := disk + "p4"
	for _, content := range []string{"XFSB", "\x00\x00something"} {
		device, err := blockdevice.OpenWritable(node)
		if err != nil {
			t.Fatal(err)
		}
		_ = device.Zero(0, mib)
		_, _ = device.WriteAt([]byte(content), 0)
		_ = device.Close()
		if _, err := k.Ensure(context.Background(), disk, v); !errors.Is(err, ErrOccupied) {
			t.Errorf("%q: %v", content, err)
		}
		opened, err := os.Open(node)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(content))
		_, _ = io.ReadFull(opened, got)
		_ = opened.Close()
		if string(got) != content {
			t.Errorf("%q was overwritten", content)
		}
	}
	device, _ := blockdevice.OpenWritable(node)
	_ = device.Zero(0, mib)
	_ = device.Close()
	if _, err := k.Ensure(context.Background(), disk, v); err != nil {
		t.Errorf("a blank partition, as a power cut leaves it: %v", err)
	}
	opened, _ := blockdevice.Open(node)
	defer opened.Close()
	if super, err := ext4.ReadSuperblock(opened); err != nil || super.Label != "STATE" {
		t.Errorf("%+v, %v", super, err)
	}
}
