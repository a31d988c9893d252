// SPDX-License-Identifier: Apache-2.0

// apid is the machine API on the network: TLS with client certificates on port 50000, each call passed on to PID 1's
// socket or to another machine. It runs without root, is told everything by the resource state, and ends when the
// socket goes away; PID 1 starts it again.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/access"
	"dodeka/userland/internal/apiproxy"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	err := apiproxy.Run(ctx, apiproxy.Options{Socket: access.Socket, Log: func(format string, values ...any) {
		fmt.Fprintf(os.Stderr, format+"\n", values...)
	}})
	if err != nil {
		fmt.Fprintln(os.Stderr, "apid:", err)
		os.Exit(1)
	}
}
