// SPDX-License-Identifier: Apache-2.0

package dashboardview

import (
	"errors"
	"io/fs"
	"os"
)

// WriteCode puts the maintenance code where the dashboard reads it: a file for root and the dashboard's group alone, as
// the code must reach nobody over the network. An empty code removes the file.
func WriteCode(path, code string, group int) error {
	if code == "" {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(code + "\n")
	if err := errors.Join(err, file.Chown(0, group), file.Chmod(0o640), file.Close()); err != nil {
		return err
	}
	return os.Rename(next, path)
}
