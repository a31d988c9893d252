// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"testing"

	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/impl/inmem"
	"github.com/cosi-project/runtime/pkg/state/impl/namespaced"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dodeka/userland/internal/settings"
)

func TestWhyThereIsNoDatabase(t *testing.T) {
	const rest = "machine: {type: TYPE, ca: {crt: LS0tCg==KEY}}\ncluster: {controlPlane: {endpoint: 'https://10.0.0.1:6443'}ETCD}\n"
	configuration := func(kind, etcd string) string {
		key := ""
		if kind == "controlplane" {
			key = ", key: LS0tCg=="
		}
		return "version: v1alpha1\n" + strings.NewReplacer("TYPE", kind, "KEY", key, "ETCD", etcd).Replace(rest)
	}
	tests := []struct{ name, text, want string }{
		{"without a configuration", "", "not ready"},
		{"before it has a place for its data", configuration("controlplane", ", etcd: {ca: {crt: LS0tCg==, key: LS0tCg==}}"), "not ready"},
		{"on a worker", configuration("worker", ""), "this is a worker"},
		{"without an authority", configuration("controlplane", ""), "cluster.etcd.ca"},
	}
	for _, tc := range tests {
		s := newSystem()
		source := settings.Source{Name: "test", Read: func(context.Context) ([]byte, error) { return []byte(tc.text), nil }}
		s.settings = settings.New(settings.Options{State: state.WrapCore(namespaced.NewState(inmem.Build)), Sources: []settings.Source{source}})
		if complete, err := s.settings.Acquire(t.Context()); complete != (tc.text != "") {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if _, err := s.database(); status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}
