// SPDX-License-Identifier: Apache-2.0

package timesync

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"time"

	"github.com/beevik/ntp"
	"golang.org/x/sys/unix"
)

const (
	askTimeout   = 5 * time.Second // for one server, the lookup of its name included
	queryTimeout = 3 * time.Second // of that for its answer
)

// Ask is Options.Query for real servers. It returns when its context ends. An answer that the rules of RFC 5905 forbid is
// an error, a "kiss of death" too.
func Ask(ctx context.Context, server string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	response, err := ntp.QueryWithOptions(server, ntp.QueryOptions{
		Timeout: queryTimeout, Dialer: func(_, address string) (net.Conn, error) { return dial(ctx, address) },
	})
	if err == nil {
		err = response.Validate()
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", server, cmp.Or(ctx.Err(), err))
	}
	return response.ClockOffset, nil
}

// dial prefers IPv4, as an address of IPv6 alone does not say that there is a way out by it. The context's end closes the
// connection.
func dial(ctx context.Context, address string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "udp4", address)
	if err != nil {
		conn, err = dialer.DialContext(ctx, "udp6", address)
	}
	if err == nil {
		context.AfterFunc(ctx, func() { _ = conn.Close() })
	}
	return conn, err
}

// System is the kernel's clock.
type System struct{}

// Now is the time of the kernel's clock.
func (System) Now() time.Time { return time.Now() }

// Step sets the clock.
func (System) Step(offset time.Duration) error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &now); err != nil {
		return err
	}
	at := unix.NsecToTimespec(now.Nano() + int64(offset))
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &at); err != nil {
		return err
	}
	return adjust(0)
}

// Slew gives the offset to the kernel's phase-locked loop, which takes half a second at most; the next round brings the
// rest.
func (System) Slew(offset time.Duration) error {
	const most = 500 * time.Millisecond // MAXPHASE in the kernel's ntp.c
	return adjust(min(max(offset, -most), most))
}

// What the kernel is told about the quality of the clock.
const (
	timeConstant = 6    // 2^6 s, near the poll interval
	maxErrorUs   = 1e6  // a second: what SNTP over a bad line may be off
	estErrorUs   = 16e3 // 16 ms
)

// adjust also tells the kernel that the clock is synchronised, so that it writes it to the battery's clock.
func adjust(offset time.Duration) error {
	request := unix.Timex{
		Modes:  unix.ADJ_OFFSET | unix.ADJ_STATUS | unix.ADJ_NANO | unix.ADJ_TIMECONST | unix.ADJ_MAXERROR | unix.ADJ_ESTERROR,
		Status: unix.STA_PLL,
	}
	request.Offset, request.Constant = offset.Nanoseconds(), timeConstant
	request.Maxerror, request.Esterror = maxErrorUs, estErrorUs
	_, err := unix.Adjtimex(&request)
	return err
}
