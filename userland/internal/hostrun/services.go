// SPDX-License-Identifier: Apache-2.0

package hostrun

import (
	"context"
	"fmt"
	"io"
	"time"

	"dodeka/userland/internal/apiproxy"
	"dodeka/userland/internal/services"
)

// sampleService is one that clients may start, stop and restart; it writes a line to its log at each start.
const sampleService = "sample"

// addServices starts apid and the sample, both inside this process.
func (h *Host) addServices(options Options) error {
	err := h.Services.Add(
		services.Definition{ID: "apid", Run: func(ctx context.Context, log io.Writer) error {
			return apiproxy.Run(ctx, apiproxy.Options{Socket: h.Socket, Log: func(format string, values ...any) {
				fmt.Fprintf(log, format+"\n", values...)
				options.Log(format, values...)
			}})
		}},
		services.Definition{ID: sampleService, Operable: true, Run: func(ctx context.Context, log io.Writer) error {
			fmt.Fprintln(log, "sample started")
			<-ctx.Done()
			return nil
		}},
	)
	if err != nil {
		return err
	}
	for _, id := range []string{"apid", sampleService} {
		if err := h.Services.Start(context.Background(), id); err != nil {
			return err
		}
	}
	return nil
}

// stopServices is the first step of Close.
func (h *Host) stopServices() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = h.Services.StopAll(ctx)
}
