// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"fmt"
	"io"
	"os"
)

const tableBytes = 8 << 20 // of one table in /proc: more than 40 000 sockets or mounts

// readBounded reads a table of the kernel at once; one that is longer is an error, not half an answer.
func readBounded(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	table, err := io.ReadAll(io.LimitReader(file, tableBytes+1))
	if err == nil && len(table) > tableBytes {
		err = fmt.Errorf("%s: found more than %d bytes", name, tableBytes)
	}
	return table, err
}
