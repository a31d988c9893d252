// SPDX-License-Identifier: Apache-2.0

// Command talosctl is the stock command line client of Talos Linux, built from its published Go module
// and nothing else: the tests drive the machine API with the client that users have.
package main

import (
	"os"

	// Registers the compatibility options of the client's own main package.
	_ "github.com/siderolabs/talos/cmd/talosctl/acompat"
	"github.com/siderolabs/talos/cmd/talosctl/cmd"
)

func main() {
	if err := cmd.Execute(); err != nil {
		os.Exit(1)
	}
}
