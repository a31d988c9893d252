// SPDX-License-Identifier: Apache-2.0

// Package ifname says which name an Ethernet interface has by its place in the machine, so that it is the same at every
// boot and does not depend on which driver came first: eno1 (on the board), ens3 (in a slot), enp0s2f1 (by its path on
// the PCI bus), enp0s20u1 or enx020304050607 (USB).
// Spec: systemd.net-naming-scheme(7), the common cases. Left out: SR-IOV representors, device trees, other buses; such
// an interface keeps the kernel's name.
package ifname

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"dodeka/userland/internal/sysfs"
)

const (
	maxName      = 15    // IFNAMSIZ less the NUL
	maxOnboard   = 16383 // larger numbers are what firmware writes when it knows none
	kernelNumber = "1"   // NET_NAME_ENUM: the kernel counted, nobody chose the name
)

// Renames tells whether the kernel's name of an interface is only a number that it counted up.
func Renames(sys fs.FS, name string) bool {
	return sysfs.ReadText(sys, path.Join("class/net", name, "name_assign_type")) == kernelNumber
}

// Of returns the predictable name of an interface, or "" when nothing is known of its place. sys is /sys.
func Of(sys fs.FS, name string) string {
	device := deviceOf(sys, name)
	if device == "" || sysfs.ReadText(sys, path.Join("class/net", name, "type")) != "1" {
		return ""
	}
	i := link{sys: sys, name: name, device: device, pci: lastPCI(device)}
	for _, candidate := range []string{i.byAddress(), i.onboard(), i.slot(), i.path(), i.xen()} {
		if candidate != "" && len(candidate) <= maxName {
			return candidate
		}
	}
	return ""
}

// PCI returns the directory below /sys of the PCI function that an interface sits on, or "".
func PCI(sys fs.FS, name string) string { return lastPCI(deviceOf(sys, name)) }

// link is an interface: the directory of its device below /sys, and the PCI function that it sits on.
type link struct {
	sys               fs.FS
	name, device, pci string
}

// deviceOf returns the real directory of the device, without the "net/<name>" at its end.
func deviceOf(sys fs.FS, name string) string {
	target, err := fs.ReadLink(sys, path.Join("class/net", name))
	if err != nil {
		return ""
	}
	real := path.Join("class/net", target)
	dir, found := strings.CutSuffix(real, path.Join("/net", name))
	if !found || !strings.HasPrefix(dir, "devices/") || strings.HasPrefix(dir, "devices/virtual") {
		return ""
	}
	return dir
}

// lastPCI cuts a path after its last PCI function: what follows hangs on that function (virtio0, usb1).
func lastPCI(dir string) string {
	for d := dir; d != "." && d != "/"; d = path.Dir(d) {
		if _, ok := parsePCI(path.Base(d)); ok {
			return d
		}
	}
	return ""
}

// address is a place on the PCI bus, as in 0000:00:1f.6.
type address struct{ domain, bus, slot, function uint64 }

func parsePCI(text string) (a address, ok bool) {
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == ':' || r == '.' })
	if len(parts) != 4 || strings.Count(text, ":") != 2 {
		return a, false
	}
	for i, to := range []*uint64{&a.domain, &a.bus, &a.slot, &a.function} {
		n, err := strconv.ParseUint(parts[i], 16, 32)
		if err != nil {
			return a, false
		}
		*to = n
	}
	return a, true
}

// byAddress names what is plugged into USB by the address that its maker gave it: plugs move.
func (l link) byAddress() string {
	const permanent = "0" // NET_ADDR_PERM
	dir := path.Join("class/net", l.name)
	if !strings.Contains(l.device, "/usb") || sysfs.ReadText(l.sys, path.Join(dir, "addr_assign_type")) != permanent {
		return ""
	}
	digits := strings.ReplaceAll(sysfs.ReadText(l.sys, path.Join(dir, "address")), ":", "")
	if len(digits) != 12 || strings.Trim(digits, "0123456789abcdef") != "" || strings.Trim(digits, "0") == "" {
		return ""
	}
	return "enx" + digits
}

// onboard uses the number that the firmware prints on the case: ACPI's _DSM, or SMBIOS type 41.
func (l link) onboard() string {
	if l.pci == "" {
		return ""
	}
	for _, attribute := range []string{"acpi_index", "index"} {
		n, err := strconv.ParseUint(sysfs.ReadText(l.sys, path.Join(l.pci, attribute)), 10, 32)
		if err == nil && n > 0 && n <= maxOnboard {
			return fmt.Sprintf("eno%d", n) + l.port()
		}
	}
	return ""
}

// slot uses the number of the hot-plug slot that the function, or a bridge above it, sits in.
func (l link) slot() string {
	own, ok := parsePCI(path.Base(l.pci))
	if !ok {
		return ""
	}
	slots, _ := fs.ReadDir(l.sys, "bus/pci/slots")
	for d := l.pci; d != "." && d != "/"; d = path.Dir(d) {
		here, ok := parsePCI(path.Base(d))
		if !ok {
			continue
		}
		wanted := fmt.Sprintf("%04x:%02x:%02x", here.domain, here.bus, here.slot)
		for _, s := range slots {
			number, err := strconv.ParseUint(s.Name(), 10, 32)
			if err == nil && number > 0 && sysfs.ReadText(l.sys, path.Join("bus/pci/slots", s.Name(), "address")) == wanted {
				return fmt.Sprintf("en%ss%d", domain(own), number) + l.function(own) + l.port()
			}
		}
	}
	return ""
}

// path uses the numbers of the PCI bus, and of the USB ports below it.
func (l link) path() string {
	own, ok := parsePCI(path.Base(l.pci))
	if !ok {
		return ""
	}
	base := fmt.Sprintf("en%sp%ds%d", domain(own), own.bus, own.slot) + l.function(own)
	if below := strings.TrimPrefix(l.device, l.pci); strings.Contains(below, "/usb") {
		return usb(base, path.Base(below))
	}
	return base + l.port()
}

// usb reads the last part of the path, "1-2.3:1.0": port 3 of the hub at port 2, configuration 1, interface 0.
func usb(base, last string) string {
	place, rest, found := strings.Cut(last, ":")
	_, ports, dash := strings.Cut(place, "-")
	if !found || !dash {
		return ""
	}
	configuration, number, _ := strings.Cut(rest, ".")
	name := base + "u" + strings.ReplaceAll(ports, ".", "u")
	if configuration != "1" {
		name += "c" + configuration
	}
	if number != "0" {
		name += "i" + number
	}
	return name
}

// xen names a paravirtual interface by its number.
func (l link) xen() string {
	number, found := strings.CutPrefix(path.Base(l.device), "vif-")
	if !found || strings.Trim(number, "0123456789") != "" {
		return ""
	}
	return "enX" + number
}

func domain(a address) string {
	if a.domain == 0 {
		return ""
	}
	return fmt.Sprintf("P%d", a.domain)
}

// function is shown for all functions of a card that has several, also for the first.
func (l link) function(a address) string {
	const headerType, manyFunctions = 14, 0x80 // PCI Local Bus Specification section 6.2.1
	if a.function > 0 {
		return fmt.Sprintf("f%d", a.function)
	}
	header, err := fs.ReadFile(l.sys, path.Join(l.pci, "config"))
	if err == nil && len(header) > headerType && header[headerType]&manyFunctions != 0 {
		return "f0"
	}
	return ""
}

// port tells the sockets of one function apart.
func (l link) port() string {
	dir := path.Join("class/net", l.name)
	if name := sysfs.ReadText(l.sys, path.Join(dir, "phys_port_name")); name != "" && isWord(name) {
		return "n" + name
	}
	if n, err := strconv.ParseUint(sysfs.ReadText(l.sys, path.Join(dir, "dev_port")), 10, 32); err == nil && n > 0 {
		return fmt.Sprintf("d%d", n)
	}
	return ""
}

func isWord(text string) bool {
	return strings.Trim(strings.ToLower(text), "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}
