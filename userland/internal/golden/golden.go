// SPDX-License-Identifier: Apache-2.0

// Package golden compares what a test made with a file of its testdata. "go test -update" rewrites the files.
package golden

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Equal fails the test when the text is not that of the file.
func Equal(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != got {
		t.Errorf("%s differs (%v); got\n%s", path, err, got)
	}
}
