// SPDX-License-Identifier: Apache-2.0

package network

import (
	"bytes"
	"context"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"dodeka/userland/internal/dhcp4"
	"dodeka/userland/internal/dhcp6"
	"dodeka/userland/internal/sysfs"
)

// Kernel is the Backend of a running machine: rtnetlink(7), /sys and /proc/sys of the namespace that the process is in.
type Kernel struct {
	sys   fs.FS
	names bool // by place
}

// NewKernel looks at the given /sys. Without names, links keep those that the kernel gave them (net.ifnames=0).
func NewKernel(sys string, names bool) *Kernel { return &Kernel{sys: os.DirFS(sys), names: names} }

// SetHostname changes the name in the kernel.
func (k *Kernel) SetHostname(name string) error { return unix.Sethostname([]byte(name)) }

// Identity reads the UUID of the firmware and the smallest hardware address of a real interface.
func (k *Kernel) Identity() Identity { return IdentityOf(k.sys) }

// IdentityOf is Identity of a /sys.
func IdentityOf(sys fs.FS) Identity {
	found := Identity{UUID: sysfs.ReadText(sys, "class/dmi/id/product_uuid")}
	for _, name := range sysfs.Ethernets(sys) {
		mac, err := net.ParseMAC(sysfs.ReadText(sys, "class/net/"+name+"/address"))
		if err == nil && (found.MAC == nil || bytes.Compare(mac, found.MAC) < 0) {
			found.MAC = mac
		}
	}
	return found
}

// Dial4 opens sockets for DHCPv4.
func (k *Kernel) Dial4(link string, mac net.HardwareAddr) func(netip.Addr) (dhcp4.Exchanger, error) {
	return dhcp4.OpenLink(link, mac)
}

// Dial6 opens sockets for DHCPv6.
func (k *Kernel) Dial6(link string, mac net.HardwareAddr) func() (dhcp6.Exchanger, error) {
	return dhcp6.OpenLink(link, mac)
}

// Watch listens for changes of links, addresses and routes. The kernel drops a listener that is too slow; then it
// subscribes again, and what was missed is found by looking.
func (k *Kernel) Watch(ctx context.Context, changed func()) {
	for ctx.Err() == nil {
		k.listen(ctx, changed)
		changed()
		wait(ctx, time.Second)
	}
}

// listen returns when one of its subscriptions has ended.
func (k *Kernel) listen(parent context.Context, changed func()) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	subscribe(ctx, cancel, changed, netlink.LinkSubscribe)
	subscribe(ctx, cancel, changed, netlink.AddrSubscribe)
	subscribe(ctx, cancel, changed, netlink.RouteSubscribe)
	<-ctx.Done()
}

// subscribe calls changed for every update, and ended when there will be none any more. It reads until the channel is
// closed: the library's goroutine behind it would wait for its reader for ever.
func subscribe[T any](ctx context.Context, ended, changed func(), to func(chan<- T, <-chan struct{}) error) {
	updates := make(chan T)
	if to(updates, ctx.Done()) != nil {
		ended()
		return
	}
	go func() {
		defer ended()
		for range updates {
			changed()
		}
	}()
}
