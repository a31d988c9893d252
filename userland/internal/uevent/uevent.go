// SPDX-License-Identifier: Apache-2.0

// Package uevent listens to the kernel's announcements of devices.
// Spec: Linux lib/kobject_uevent.c: "action@devpath", then KEY=value, each ended by a NUL, over netlink.
package uevent

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	kernelGroup  = 1       // multicast group of the kernel's own events
	maxEvent     = 8 << 10 // bytes; UEVENT_BUFFER_SIZE is 2048, plus the header
	socketBuffer = 4 << 20 // bytes; a burst of hot-plugged devices must fit
)

// Event is one announcement, such as Action "add", Values["SUBSYSTEM"] "input".
type Event struct {
	Action string
	Values map[string]string
}

// Listener is the open socket.
type Listener struct{ file *os.File }

// Listen starts to collect events.
func Listen() (*Listener, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, fmt.Errorf("uevent socket: %w", err)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, socketBuffer)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: kernelGroup}); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("uevent bind: %w", err)
	}
	return &Listener{os.NewFile(uintptr(fd), "uevent")}, nil
}

// Next waits for an event until the deadline (zero: for ever). Messages that are no events of the kernel are skipped.
// When the kernel dropped events because of a full buffer it returns an Event without action: look at everything anew.
func (l *Listener) Next(deadline time.Time) (Event, error) {
	if err := l.file.SetReadDeadline(deadline); err != nil {
		return Event{}, err
	}
	buffer := make([]byte, maxEvent)
	for {
		n, err := l.file.Read(buffer)
		if unwrapped(err) == unix.ENOBUFS {
			return Event{}, nil
		}
		if err != nil {
			return Event{}, err
		}
		if event, ok := Parse(buffer[:n]); ok {
			return event, nil
		}
	}
}

// Close ends a listener; a waiting Next returns an error.
func (l *Listener) Close() error { return l.file.Close() }

// Parse reads one message.
func Parse(message []byte) (Event, bool) {
	header, rest, ok := bytes.Cut(message, []byte{0})
	action, _, at := strings.Cut(string(header), "@")
	if !ok || !at || action == "" {
		return Event{}, false
	}
	event := Event{Action: action, Values: map[string]string{}}
	for field := range strings.SplitSeq(string(rest), "\x00") {
		if key, value, found := strings.Cut(field, "="); found {
			event.Values[key] = value
		}
	}
	return event, true
}

func unwrapped(err error) error {
	if path, ok := err.(*os.PathError); ok {
		return path.Err
	}
	return err
}
