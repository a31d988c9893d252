// SPDX-License-Identifier: Apache-2.0

package install

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestSourceOutOfTheInitramfs(t *testing.T) {
	places, running := medium(t, 1)
	image, _ := sealed(1)
	device := filepath.Join(t.TempDir(), "loop0")
	if err := os.WriteFile(device, image, 0o600); err != nil {
		t.Fatal(err)
	}
	places.Medium, places.Embedded = places.Embedded, places.Medium
	places.RootDevice = func() (string, error) { return device, nil }
	from, err := findSource(places, running)
	if err != nil {
		t.Fatal(err)
	}
	if err := from.check(); err != nil {
		t.Error(err)
	}
	if f := from.file(from.root); f.Size != 8192 {
		t.Errorf("the root image has %d bytes", f.Size)
	}
}

func TestLoopBelow(t *testing.T) {
	sys := t.TempDir()
	for name, text := range map[string]string{
		"block/dm-0/dm/name": "other\n", "block/dm-0/slaves/sda/x": "", "block/dm-1/dm/name": "dodeka-root\n", "block/dm-1/slaves/loop3/x": "",
	} {
		path := filepath.Join(sys, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := loopBelow(sys); got != "/dev/loop3" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := loopBelow(t.TempDir()); err == nil {
		t.Errorf("%q was found", got)
	}
}

func FuzzCommandLineOf(f *testing.F) {
	f.Add(uki("a=b"))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = commandLineOf(bytes.NewReader(data)) })
}
