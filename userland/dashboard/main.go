// SPDX-License-Identifier: Apache-2.0

// dashboard shows the state of the machine on its consoles: drawn on a screen, as lines on a serial console. It takes no
// input and has no rights: it reads the machine API on the unix socket as a reader, and is given its consoles open.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"google.golang.org/grpc/backoff"

	"dodeka/userland/internal/access"
)

// reconnect finds an API again soon that restarts.
var reconnect = backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.5, Jitter: 0.2, MaxDelay: 2 * time.Second}

func main() {
	var screens, lines consoles
	code := flag.String("code", "", "file that holds the maintenance code while there is one")
	flag.Var(&screens, "screen", "console to draw on: a device, or fd:N (may be given several times)")
	flag.Var(&lines, "lines", "console to write lines to: a device, or fd:N (may be given several times)")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	if err := run(ctx, *code, screens, lines); err != nil {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		os.Exit(1)
	}
}

// run needs one console that can be opened; those that cannot are told and left out.
func run(ctx context.Context, code string, screens, lines consoles) error {
	var all []output
	var failures []error
	add := func(name string, make func(*os.File) output) {
		file, err := open(name)
		if err != nil {
			failures = append(failures, err)
			return
		}
		all = append(all, make(file))
	}
	for _, name := range screens {
		add(name, func(f *os.File) output { return &screenOutput{file: f} })
	}
	for _, name := range lines {
		add(name, func(f *os.File) output { return &lineOutput{file: f} })
	}
	if len(all) == 0 {
		return errors.Join(append(failures, errors.New("no console: give -screen or -lines"))...)
	}
	for _, err := range failures {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
	}
	m := newModel()
	s, conn, err := connect(access.Socket, code, m)
	if err != nil {
		return err
	}
	defer conn.Close()
	go s.run(ctx)
	present(ctx, m, all)
	return nil
}
