// SPDX-License-Identifier: Apache-2.0

package trustclient

import (
	"context"
	"strings"
	"testing"
)

func TestWithPort(t *testing.T) {
	for endpoint, want := range map[string]string{
		"10.0.0.1": "10.0.0.1:50001", "10.0.0.1:99": "10.0.0.1:99", "cp.example": "cp.example:50001",
		"fd00::1": "[fd00::1]:50001", "[fd00::1]": "[fd00::1]:50001", "[fd00::1]:99": "[fd00::1]:99",
	} {
		if got := withPort(endpoint); got != want {
			t.Errorf("%s: got %s, want %s", endpoint, got, want)
		}
	}
}

func TestTryRefusesWhatCannotWork(t *testing.T) {
	for _, tc := range []struct {
		name string
		r    Request
		want string
	}{
		{"no endpoint", Request{Token: "x"}, "no endpoint"},
		{"no token", Request{Endpoints: []string{"a"}}, "token is empty"},
		{"no authority", Request{Endpoints: []string{"a"}, Token: "x", AcceptedCAs: []byte("x")}, "no certificate authority"},
	} {
		if _, err := Try(context.Background(), tc.r); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}
