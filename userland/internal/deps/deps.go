// SPDX-License-Identifier: Apache-2.0

// Package deps holds modules that packages under construction will import.
package deps

import (
	_ "github.com/beevik/ntp"
	_ "github.com/cosi-project/runtime/pkg/controller/runtime"
	_ "github.com/cosi-project/runtime/pkg/state/impl/inmem"
	_ "github.com/cosi-project/runtime/pkg/state/protobuf/server"
	_ "github.com/google/go-cmp/cmp"
	_ "github.com/siderolabs/crypto/x509"
	_ "github.com/siderolabs/grpc-proxy/proxy"
	_ "github.com/siderolabs/talos/pkg/machinery/api/machine"
	_ "github.com/siderolabs/talos/pkg/machinery/cel"
	_ "github.com/siderolabs/talos/pkg/machinery/client"
	_ "github.com/siderolabs/talos/pkg/machinery/config/configloader"
	_ "github.com/siderolabs/talos/pkg/machinery/resources/network"
)
