// SPDX-License-Identifier: Apache-2.0

// installcall asks a machine to install itself, by a method that the stock client has no command for. It prints what the
// machine says, and ends with the machine's exit code. It is part of no image.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/client"
)

func main() {
	config := flag.String("talosconfig", "", "client configuration")
	endpoint := flag.String("endpoint", "", "host and port of the machine API")
	disk := flag.String("disk", "", "disk of the machine, such as /dev/sda")
	image := flag.String("image", "", "image to install; the running version when empty")
	flag.Parse()
	code, err := run(context.Background(), *config, *endpoint, &machine.LifecycleServiceInstallRequest{
		Source: &machine.InstallArtifactsSource{ImageName: *image}, Destination: &machine.InstallDestination{Disk: *disk},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "installcall:", err)
		code = 2
	}
	os.Exit(code)
}

func run(ctx context.Context, config, endpoint string, r *machine.LifecycleServiceInstallRequest) (int, error) {
	c, err := client.New(ctx, client.WithConfigFromFile(config), client.WithEndpoints(endpoint))
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close() }()
	stream, err := c.LifecycleClient.Install(ctx, r)
	if err != nil {
		return 0, err
	}
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return 0, errors.New("the machine did not say how it ended")
		}
		if err != nil {
			return 0, err
		}
		switch p := answer.GetProgress().GetResponse().(type) {
		case *machine.LifecycleServiceInstallProgress_Message:
			fmt.Println(p.Message)
		case *machine.LifecycleServiceInstallProgress_ExitCode:
			return int(p.ExitCode), nil
		}
	}
}
