// SPDX-License-Identifier: Apache-2.0

package services

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	grpchealth "google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

func TestProbes(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dir := t.TempDir()
	socket := filepath.Join(dir, "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server, status := grpc.NewServer(), grpchealth.NewServer()
	grpc_health_v1.RegisterHealthServer(server, status)
	go server.Serve(listener)
	defer server.Stop()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/healthz", http.StatusFound)
		case "/slow":
			time.Sleep(50 * time.Millisecond)
		case "/bad":
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer web.Close()
	for _, tc := range []struct {
		name  string
		check func(context.Context) error
		good  bool
	}{
		{"unix", Listening("unix", socket), true},
		{"no unix", Listening("unix", filepath.Join(dir, "none")), false},
		{"tcp", Listening("tcp", web.Listener.Addr().String()), true},
		{"http", Answering(web.URL + "/healthz"), true},
		{"http 500", Answering(web.URL + "/bad"), false},
		{"http 302", Answering(web.URL + "/moved"), false},
		{"not http", Answering("http://\x00"), false},
		{"grpc", Serving("unix://" + socket), true},
		{"no grpc", Serving("unix://" + filepath.Join(dir, "none")), false},
	} {
		if err := tc.check(ctx); (err == nil) != tc.good {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	status.SetServingStatus("", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	if err := Serving("unix://" + socket)(ctx); err == nil {
		t.Error("a server that does not serve is healthy")
	}
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	if err := Answering(web.URL + "/slow")(short); err == nil {
		t.Error("a slow answer is healthy")
	}
}
