// SPDX-License-Identifier: Apache-2.0

// Package efivar reads and writes the variables of UEFI that systemd-boot and the system speak to each other by.
// Spec: systemd's Boot Loader Interface; Linux Documentation/filesystems/efivarfs.rst; UEFI 2.10 section 8.2.
package efivar

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unicode/utf16"

	"golang.org/x/sys/unix"
)

const (
	loaderVendor = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"
	// Kept over a reboot, and seen by boot loader and system.
	attributes     = 0x1 | 0x2 | 0x4
	attributeBytes = 4
	immutable      = 0x10 // FS_IMMUTABLE_FL, which the kernel sets on variables that it does not know
	maxTextBytes   = 4096
)

// LoaderText returns a variable of the boot loader. One that is not there is fs.ErrNotExist.
func LoaderText(dir, name string) (string, error) {
	content, err := os.ReadFile(path(dir, name))
	if err != nil {
		return "", err
	}
	if len(content) < attributeBytes || len(content) > maxTextBytes || len(content)%2 != 0 {
		return "", fmt.Errorf("variable %s of %d bytes is no text", name, len(content))
	}
	var text []uint16
	for rest := content[attributeBytes:]; len(rest) > 0; rest = rest[2:] {
		unit := binary.LittleEndian.Uint16(rest)
		if unit == 0 {
			break
		}
		text = append(text, unit)
	}
	return string(utf16.Decode(text)), nil
}

// SetLoaderText writes a variable whole, or leaves what was there.
func SetLoaderText(dir, name, text string) error {
	content := binary.LittleEndian.AppendUint32(nil, attributes)
	for _, unit := range append(utf16.Encode([]rune(text)), 0) {
		content = binary.LittleEndian.AppendUint16(content, unit)
	}
	release(path(dir, name))
	file, err := os.OpenFile(path(dir, name), os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("variable %s: %w", name, err)
	}
	_, err = file.Write(content) // in one call: the kernel takes it for the variable
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("variable %s: %w", name, err)
	}
	return nil
}

// RemoveLoader deletes a variable of the boot loader; one that is not there is gone.
func RemoveLoader(dir, name string) error {
	release(path(dir, name))
	if err := os.Remove(path(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("variable %s: %w", name, err)
	}
	return nil
}

func path(dir, name string) string { return filepath.Join(dir, name+"-"+loaderVendor) }

// release makes a variable that is there writable. What fails here fails again when it is written.
func release(name string) {
	file, err := os.Open(name)
	if err != nil {
		return
	}
	defer file.Close()
	if flags, err := unix.IoctlGetInt(int(file.Fd()), unix.FS_IOC_GETFLAGS); err == nil && flags&immutable != 0 {
		_ = unix.IoctlSetPointerInt(int(file.Fd()), unix.FS_IOC_SETFLAGS, flags&^immutable)
	}
}
