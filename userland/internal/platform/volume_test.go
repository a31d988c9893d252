// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestReadFileWaitsForNoPipe: a CD can hold pipes (Rock Ridge), and opening one waits for its writer.
func TestReadFileWaitsForNoPipe(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, "user-data"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	result := make(chan error, 1)
	go func() {
		_, err := readFile(&mounted{root.FS().(fs.StatFS), root, dir}, "user-data")
		result <- err
	}()
	select {
	case err := <-result:
		if err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("got %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits")
	}
}
