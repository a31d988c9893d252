// SPDX-License-Identifier: Apache-2.0

package install

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dodeka/userland/internal/blockdevice"
	"dodeka/userland/internal/cmdline"
)

func TestInstallationWithoutGRUB(t *testing.T) {
	places, running := medium(t, 1)
	if err := os.Remove(filepath.Join(places.Medium, grubConfig)); err != nil {
		t.Fatal(err)
	}
	from, err := findSource(places, running)
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
		from, err := findSource(places, other)
		if err != nil {
			t.Fatal(err)
		}
		if err := from.check(); (err == nil) != (tc.want == "") || (err != nil && !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%q: %v", tc.booted, err)
		}
	}
}

func FuzzCommandLineOf(f *testing.F) {
	f.Add(uki("a=b"))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = commandLineOf(bytes.NewReader(data)) })
}
