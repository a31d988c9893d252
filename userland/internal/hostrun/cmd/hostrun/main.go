// SPDX-License-Identifier: Apache-2.0

// hostrun runs the machine API on a development host, for trying clients by hand. It is part of no image.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/hostrun"
)

func main() {
	dir := flag.String("dir", "", "folder for the socket and what the machine keeps; a new temporary one when empty")
	file := flag.String("config", "", "machine configuration; maintenance mode when empty")
	listen := flag.String("listen", "127.0.0.1:50000", "address of apid")
	open := flag.Bool("open", false, "maintenance mode without a code")
	flag.Parse()
	if err := run(*dir, *file, *listen, *open); err != nil {
		fmt.Fprintln(os.Stderr, "hostrun:", err)
		os.Exit(1)
	}
}

func run(dir, file, listen string, open bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	options := hostrun.Options{Dir: dir, Listen: listen, Open: open, Log: func(format string, values ...any) {
		fmt.Printf(format+"\n", values...)
	}}
	if file != "" {
		config, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		options.Config = config
	}
	host, err := hostrun.Start(ctx, options)
	if err != nil {
		return err
	}
	defer host.Close()
	fmt.Println("ready", host.Address)
	<-ctx.Done()
	return nil
}
