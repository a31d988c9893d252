// SPDX-License-Identifier: Apache-2.0

// Package console writes whole lines to every console of the machine (each console= of the kernel command line), and
// to the kernel log. /dev/console would reach only the last of them, and /dev/kmsg adds a prefix and obeys log levels.
// Kernel messages are kept off the consoles meanwhile, so that no line is torn; see QuietKernel and Evidence.
package console

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// writeLimit bounds a write: a serial line with flow control held by the other side must not stop PID 1.
const writeLimit = time.Second

// Console collects lines until Open finds the terminals, then writes each line at once.
type Console struct {
	mu      sync.Mutex
	ttys    []tty
	log     *os.File
	pending []string
	watch   func(line string)
}

type tty struct {
	name string
	file *os.File
}

// Open finds the terminals: sysRoot and devRoot are "/sys" and "/dev". A terminal that cannot be opened is left out
// (console=ttyS0 on a machine without a serial port). Lines written before are written now.
func (c *Console) Open(sysRoot, devRoot string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range activeNames(sysRoot) {
		// Non-blocking files take a write deadline.
		file, err := os.OpenFile(filepath.Join(devRoot, name), os.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
		if err == nil {
			c.ttys = append(c.ttys, tty{name, file})
		}
	}
	if log, err := os.OpenFile(filepath.Join(devRoot, "kmsg"), os.O_WRONLY, 0); err == nil {
		c.log = log
	}
	for _, line := range c.pending {
		c.write(line)
	}
	c.pending = nil
}

// Line writes one line. Bytes that are not printable ASCII become "?", so that no text can draw on the terminal.
func (c *Console) Line(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	line := Printable(text)
	if len(c.ttys) == 0 && c.log == nil {
		c.pending = append(c.pending, line)
		return
	}
	c.write(line)
}

// Aside writes one line to the terminals and the status screen alone. The kernel log is left out, as whoever may read it
// over the network must not learn what only somebody in front of the machine shall know. Before Open nothing is written.
func (c *Console) Aside(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.show(Printable(text))
}

// TakeScreen removes the virtual terminal from the line consoles and returns it; from then on watch receives each line
// so that a status screen can show it. Without a virtual terminal it returns nil.
func (c *Console) TakeScreen(watch func(line string)) *os.File {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.watch = watch
	for i, t := range c.ttys {
		if isVirtual(t.name) {
			c.ttys = append(c.ttys[:i:i], c.ttys[i+1:]...)
			return t.file
		}
	}
	return nil
}

// Drain waits until the terminals have sent what was written, at most for a second each.
func (c *Console) Drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.ttys {
		done := make(chan struct{})
		go func() {
			defer close(done)
			if conn, err := t.file.SyscallConn(); err == nil {
				// TCSBRK with 1 is tcdrain(3).
				_ = conn.Control(func(fd uintptr) { _ = unix.IoctlSetInt(int(fd), unix.TCSBRK, 1) })
			}
		}()
		select {
		case <-done:
		case <-time.After(writeLimit):
		}
	}
}

// Printable replaces every byte that is not printable ASCII by "?".
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, text)
}

func (c *Console) write(line string) {
	c.show(line)
	if c.log != nil {
		_, _ = c.log.WriteString("<7>" + line)
	}
}

func (c *Console) show(line string) {
	for _, t := range c.ttys {
		_ = t.file.SetWriteDeadline(time.Now().Add(writeLimit))
		_, _ = t.file.WriteString(line + "\n")
	}
	if c.watch != nil {
		c.watch(line)
	}
}

func activeNames(sysRoot string) []string {
	text, err := os.ReadFile(filepath.Join(sysRoot, "class/tty/console/active"))
	if err != nil || len(strings.Fields(string(text))) == 0 {
		return []string{"console"}
	}
	var names []string
	for _, name := range strings.Fields(string(text)) {
		if filepath.IsLocal(name) {
			names = append(names, name)
		}
	}
	return names
}

// isVirtual tells tty0 and tty1 (the screen) from ttyS0, ttyAMA0 and hvc0.
func isVirtual(name string) bool {
	digits, ok := strings.CutPrefix(name, "tty")
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}
