// SPDX-License-Identifier: Apache-2.0

package kmod

import (
	"os"

	"golang.org/x/sys/unix"
)

// Pin makes the file system that holds file the only one that modules, firmware and policies come from, where the kernel
// has LoadPin: LoadPin takes the place of the first file that it is shown, and init must be the first to show one, or an
// intruder with root's rights could. file is no module, so the kernel refuses it right after LoadPin has seen it; that
// refusal is the success. Kernels without LoadPin refuse it as well, and nothing else happens.
// See Linux Documentation/admin-guide/LSM/LoadPin.rst.
func Pin(file string) error {
	opened, err := os.Open(file)
	if err != nil {
		return err
	}
	defer opened.Close()
	_ = unix.FinitModule(int(opened.Fd()), "", 0)
	return nil
}
