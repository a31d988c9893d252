// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dodeka/userland/internal/blockdevice"
	"dodeka/userland/internal/bootentry"
	"dodeka/userland/internal/cmdline"
	"dodeka/userland/internal/ukifile/testuki"
)

func TestInstallationWithoutGRUB(t *testing.T) {
	places, running := medium(t, 1)
	if err := os.Remove(filepath.Join(places.Medium, grubConfig)); err != nil {
		t.Fatal(err)
	}
	from, err := findSource(places, running, "")
	if err != nil {
		t.Fatal(err)
	}
	disk := blockdevice.NewRecorder(diskBytes, 512)
	table, err := write(context.Background(), disk, from, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if _, found := table.Find("BIOS"); found {
		t.Error("a BIOS boot partition without a configuration")
	}
	if err := bootable(disk, from); err != nil {
		t.Error(err)
	}
}

func TestArgumentsOfThisBootOnly(t *testing.T) {
	places, running := medium(t, 1)
	for _, tc := range []struct{ booted, want string }{
		{"initrd=initramfs-amd64.xz " + running.Text + " dodeka.config=http://10.0.2.2/x", ""},
		{strings.Replace(running.Text, " dodeka.platform=metal", "", 1) + " dodeka.platform=nocloud", "dodeka.platform=metal"},
	} {
		other, err := cmdline.Parse(tc.booted)
		if err != nil {
			t.Fatal(err)
		}
		from, err := findSource(places, other, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := from.check(); (err == nil) != (tc.want == "") || (err != nil && !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%q: %v", tc.booted, err)
		}
	}
}

func TestOfTwoVersionsTheOneThatRunsIsInstalled(t *testing.T) {
	places, running := medium(t, 1)
	const name = "dodeka_1.0.0_0123456789ab"
	for path, content := range map[string]string{
		bootentry.UKI(name): string(testuki.Make(running.Text)), bootentry.Commands(name): "other\n",
	} {
		if err := os.WriteFile(filepath.Join(places.Medium, path), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := findSource(places, running, ""); err == nil || !strings.Contains(err.Error(), "two versions or more") {
		t.Errorf("got %v", err)
	}
	from, err := findSource(places, running, name)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		bootentry.LoaderConf: "default " + name + ".efi\n#", bootentry.GrubEnvironment: "dodeka_entry=" + name + "\n", bootentry.Commands(name): "other",
	} {
		opened, err := from.file(path).Open()
		if err != nil {
			t.Fatal(err)
		}
		if content, err := io.ReadAll(opened); err != nil || !strings.Contains(string(content), want) || int64(len(content)) != from.file(path).Size {
			t.Errorf("%s: %q, %v", path, content, err)
		}
		_ = opened.Close()
	}
	if from.file(bootentry.Commands("dodeka_1.0.0")).Open != nil {
		t.Error("the other version's commands are installed as well")
	}
}
