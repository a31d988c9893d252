// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"path/filepath"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
)

// Hostname is the name that the kernel holds.
func Hostname(root Root) (*machine.HostnameResponse, error) {
	name, err := readProcFile(filepath.Join(root.Proc, "sys/kernel/hostname"))
	if err != nil {
		return nil, asStatus(err)
	}
	answer := &machine.Hostname{Hostname: strings.TrimSpace(string(name))}
	return &machine.HostnameResponse{Messages: []*machine.Hostname{answer}}, nil
}
