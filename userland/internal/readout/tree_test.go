// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// makeTree writes files below a new directory; a content that begins with "-> " is the target of a symbolic link, and
// a name that ends in a slash is an empty directory.
func makeTree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if strings.HasSuffix(name, "/") {
			must(t, os.MkdirAll(file, 0o755))
			continue
		}
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		if target, isLink := strings.CutPrefix(content, "-> "); isLink {
			must(t, os.Symlink(target, file))
			continue
		}
		must(t, os.WriteFile(file, []byte(content), 0o644))
	}
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fakeProc(t *testing.T, files map[string]string) Root {
	return Root{Proc: makeTree(t, files)}
}
