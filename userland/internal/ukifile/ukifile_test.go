// SPDX-License-Identifier: Apache-2.0

package ukifile

import (
	"bytes"
	"testing"

	"dodeka/userland/internal/ukifile/testuki"
)

func TestAUKITellsItsCommandLineAndProcessor(t *testing.T) {
	uki := bytes.NewReader(testuki.Make("a=b c"))
	if text, err := CommandLine(uki); text != "a=b c" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	if !IsFor(uki, "amd64") || IsFor(uki, "arm64") || IsFor(bytes.NewReader([]byte("x")), "amd64") {
		t.Error("the processor is not told")
	}
}

func FuzzCommandLine(f *testing.F) {
	f.Add(testuki.Make("a=b"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = CommandLine(bytes.NewReader(data))
		_ = IsFor(bytes.NewReader(data), "amd64")
	})
}
