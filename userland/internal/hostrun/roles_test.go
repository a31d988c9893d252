// SPDX-License-Identifier: Apache-2.0

package hostrun

import (
	"context"
	"testing"
	"time"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"github.com/siderolabs/talos/pkg/machinery/client"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
	"github.com/siderolabs/talos/pkg/machinery/resources/secrets"
	"github.com/siderolabs/talos/pkg/machinery/role"
	"google.golang.org/grpc/codes"
)

func TestWhatEachRoleMayDo(t *testing.T) {
	c := newCluster(t)
	h := start(t, Options{Config: c.config})
	tests := []struct {
		who  role.Role
		what string
		do   func(*client.Client) error
		want codes.Code
	}{
		{role.Reader, "services", func(c *client.Client) error { _, err := c.ServiceList(t.Context()); return err }, codes.OK},
		{role.Reader, "reboot", func(c *client.Client) error { return c.Reboot(t.Context()) }, codes.PermissionDenied},
		{role.Reader, "restart", func(c *client.Client) error { _, err := c.ServiceRestart(t.Context(), sampleService); return err }, codes.PermissionDenied},
		{role.Operator, "restart", func(c *client.Client) error { _, err := c.ServiceRestart(t.Context(), sampleService); return err }, codes.OK},
		{role.Operator, "restart apid", func(c *client.Client) error { _, err := c.ServiceRestart(t.Context(), "apid"); return err }, codes.FailedPrecondition},
		{role.Operator, "restart nothing", func(c *client.Client) error { _, err := c.ServiceRestart(t.Context(), "nothing"); return err }, codes.NotFound},
		{role.Operator, "secrets", secretOf, codes.PermissionDenied},
		{role.Admin, "secrets", secretOf, codes.OK},
		{role.Reader, "resource", func(c *client.Client) error {
			_, err := c.COSI.List(t.Context(), network.NewHostnameStatus(network.NamespaceName, "").Metadata())
			return err
		}, codes.OK},
		{role.Admin, "create", func(c *client.Client) error {
			return c.COSI.Create(t.Context(), network.NewHostnameStatus(network.NamespaceName, network.HostnameID))
		}, codes.Unknown}, // the client hides the code: it is PermissionDenied
		{role.Operator, "reboot", func(c *client.Client) error { return c.Reboot(t.Context()) }, codes.OK},
		{role.Admin, "reboot again", func(c *client.Client) error { return c.Reboot(t.Context()) }, codes.FailedPrecondition},
		{role.Admin, "etcd", func(c *client.Client) error { _, err := c.EtcdStatus(t.Context()); return err }, codes.FailedPrecondition},
		{role.Admin, "leave", func(c *client.Client) error {
			return c.EtcdLeaveCluster(t.Context(), &machine.EtcdLeaveClusterRequest{})
		}, codes.Unimplemented},
	}
	for _, tc := range tests {
		if err := tc.do(c.clientOf(t, h, time.Hour, tc.who)); client.StatusCode(err) != tc.want {
			t.Errorf("%s by %s: got %v, want %v", tc.what, tc.who, err, tc.want)
		}
	}
}

func secretOf(c *client.Client) error {
	_, err := c.COSI.Get(context.Background(), secrets.NewAPI().Metadata())
	return err
}
