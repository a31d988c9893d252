// SPDX-License-Identifier: Apache-2.0

package main

import "runtime"

// architecture is named as in the release: amd64 or arm64.
const architecture = runtime.GOARCH
