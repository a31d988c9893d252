// SPDX-License-Identifier: Apache-2.0

package vmguest

import "encoding/binary"

// backdoor reads the port. Anything but VMware answers with a fault that ends the program.
//
//go:noescape
func backdoor(r *registers)

// cpuid executes the instruction. Spec: Intel's manual, volume 2, "CPUID".
func cpuid(leaf uint32) (ax, bx, cx, dx uint32)

const (
	featureLeaf    = 1
	virtualised    = 1 << 31 // in cx: there is a hypervisor, so the next leaf is one
	hypervisorLeaf = 0x40000000
)

// hypervisor returns the name that the hypervisor gives itself; nothing on a real machine.
func hypervisor() string {
	if _, _, cx, _ := cpuid(featureLeaf); cx&virtualised == 0 {
		return ""
	}
	_, bx, cx, dx := cpuid(hypervisorLeaf)
	var name []byte
	for _, word := range []uint32{bx, cx, dx} {
		name = binary.LittleEndian.AppendUint32(name, word)
	}
	return string(name)
}
