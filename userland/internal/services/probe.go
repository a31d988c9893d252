// SPDX-License-Identifier: Apache-2.0

package services

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// Listening checks that something accepts connections: network is "tcp" or "unix", address as for net.Dial.
func Listening(network, address string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// Answering checks that a GET of the URL is answered with a status of 2xx. Redirects are not followed.
func Answering(url string) func(context.Context) error {
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
		if response.StatusCode/100 != 2 {
			return fmt.Errorf("GET %s: %s", url, response.Status)
		}
		return nil
	}
}

// Serving asks a gRPC server without TLS, such as containerd on its socket ("unix:///run/..."), by the standard health
// service. Spec: grpc.health.v1.
func Serving(target string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())
		if err != nil {
			return err
		}
		defer conn.Close()
		answer, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		if err != nil {
			return err
		}
		if answer.Status != grpc_health_v1.HealthCheckResponse_SERVING {
			return fmt.Errorf("%s is %s", target, answer.Status)
		}
		return nil
	}
}
