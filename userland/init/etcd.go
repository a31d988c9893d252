// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dodeka/userland/internal/containerd"
	"dodeka/userland/internal/etcd"
	"dodeka/userland/internal/machineapi"
	"dodeka/userland/internal/services"
)

// startEtcd starts the database on a machine of the control plane that can make certificates for it.
func (s *system) startEtcd() error {
	active := s.settings.Active()
	if !active.Machine().Type().IsControlPlane() || !etcd.CanRun(active.Cluster()) {
		return nil
	}
	runtime, err := containerd.New(services.ContainerdSocket)
	if err != nil {
		return err
	}
	service, err := etcd.New(etcd.Options{
		State: s.os.State, Cluster: active.Cluster(), Runtime: runtime,
		Log: func() io.WriteCloser { return s.logs.Writer(etcd.ID) },
	})
	if err != nil {
		return err
	}
	if err := s.services.Add(service.Definition()); err != nil {
		return err
	}
	s.etcd.Store(service)
	return s.services.Start(context.Background(), etcd.ID)
}

// database is etcd for the API.
func (s *system) database() (machineapi.Etcd, error) {
	if service := s.etcd.Load(); service != nil {
		return service, nil
	}
	why := "etcd is not ready on this machine: it has no volume for its data, or no container runtime yet"
	if s.settings.Complete() {
		switch active := s.settings.Active(); {
		case !active.Machine().Type().IsControlPlane():
			why = "etcd runs on machines of the control plane, and this is a worker"
		case !etcd.CanRun(active.Cluster()):
			why = "cluster.etcd.ca: missing its certificate or key, without which etcd does not run"
		}
	}
	return nil, status.Error(codes.FailedPrecondition, why)
}
