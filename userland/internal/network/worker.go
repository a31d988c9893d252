// SPDX-License-Identifier: Apache-2.0

package network

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"

	"dodeka/userland/internal/lease"
)

const (
	firstPause   = time.Second // after a server that does not answer; doubled up to the longest
	longestPause = 30 * time.Second
	tryTimeout   = 500 * time.Millisecond // for the first try of a message; each further one waits twice as long
	tries        = 5
)

// worker keeps one interface supplied with a lease while it has a carrier.
type worker struct {
	name    string
	events  Events
	carrier chan bool // holds the newest state only
	leased  func()
	had     bool // the carrier state that was sent last; owned by the manager's update
	sent    bool
}

// setCarrier passes a change on. Only update calls it.
func (w *worker) setCarrier(has bool) {
	if w.sent && w.had == has {
		return
	}
	w.sent, w.had = true, has
	select {
	case <-w.carrier: // an older state that nobody read
	default:
	}
	w.carrier <- has
}

// run starts over whenever the carrier comes, and gives the lease up when it goes.
func (w *worker) run(ctx context.Context) {
	stop := func() {}
	for {
		select {
		case <-ctx.Done():
			stop()
			return
		case has := <-w.carrier:
			stop()
			stop = func() {}
			if has {
				stop = w.begin(ctx)
			}
		}
	}
}

// begin keeps a lease in the background until the returned function is called, which waits for the end.
func (w *worker) begin(parent context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(parent)
	done := make(chan struct{})
	w.events.Guard("network", func() {
		defer close(done)
		w.keepLease(ctx)
	})
	return func() {
		cancel()
		<-done
	}
}

func (w *worker) keepLease(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		err := w.holdOne(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			pause = firstPause // it ran out or was taken back after it had worked
			continue
		}
		w.events.Line(fmt.Sprintf("dodeka: network %s: %v; next try in %s", w.name, err, pause))
		sleep(ctx, pause)
		pause = min(2*pause, longestPause)
	}
}

// holdOne gets a lease, uses it, and renews it until it is over.
func (w *worker) holdOne(ctx context.Context) error {
	held, config, err := w.request(ctx)
	if err != nil {
		return err
	}
	defer func() {
		removeLease(w.name)
		w.events.Lost(w.name)
	}()
	for {
		if err := applyLease(w.name, config); err != nil {
			return err
		}
		w.events.Lease(w.name, config)
		w.leased()
		held, config, err = w.renew(ctx, held, config)
		if err != nil {
			return nil
		}
	}
}

func (w *worker) request(ctx context.Context) (*nclient4.Lease, lease.Config, error) {
	client, err := openClient(w.name)
	if err != nil {
		return nil, lease.Config{}, err
	}
	defer client.Close()
	held, err := client.Request(ctx)
	if err != nil {
		return nil, lease.Config{}, fmt.Errorf("DHCP: %w", err)
	}
	config, err := lease.FromAck(held.ACK)
	if err != nil {
		return nil, lease.Config{}, fmt.Errorf("DHCP: %w", err)
	}
	return held, config, nil
}

// renew waits for T1 and then asks until the lease is over. An answer that changes the address is a new lease too.
func (w *worker) renew(ctx context.Context, held *nclient4.Lease, config lease.Config) (*nclient4.Lease, lease.Config, error) {
	if config.Lifetime == 0 {
		<-ctx.Done()
		return nil, config, ctx.Err()
	}
	end := time.Now().Add(config.Lifetime)
	sleep(ctx, config.Renew)
	for ctx.Err() == nil && time.Now().Before(end) {
		next, fresh, err := w.renewOnce(ctx, held)
		var refused *nclient4.ErrNak
		if errors.As(err, &refused) {
			return nil, config, err // RFC 2131 section 4.4.5: stop using the address at once
		}
		if err == nil {
			if fresh.Address != config.Address {
				removeLease(w.name)
			}
			return next, fresh, nil
		}
		// RFC 2131 section 4.4.5: half of what remains, not below a minute.
		sleep(ctx, min(max(time.Until(end)/2, time.Minute), time.Until(end)))
	}
	return nil, config, context.DeadlineExceeded
}

func (w *worker) renewOnce(ctx context.Context, held *nclient4.Lease) (*nclient4.Lease, lease.Config, error) {
	client, err := openClient(w.name)
	if err != nil {
		return nil, lease.Config{}, err
	}
	defer client.Close()
	next, err := client.Renew(ctx, held)
	if err != nil {
		return nil, lease.Config{}, err
	}
	config, err := lease.FromAck(next.ACK)
	return next, config, err
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
