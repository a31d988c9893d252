// SPDX-License-Identifier: Apache-2.0
// Go as the toolbox "compile" has it: where the program lies, and the environment that makes it build the same bytes
// wherever it runs.

const GO_ROOT = "/usr/lib/go-1.27";

/** Inside the toolbox. */
export const GO_PROGRAM: string = `${GO_ROOT}/bin/go`;

/** Where the toolbox sees the module cache and the build cache. */
export const GO_MODULE_CACHE = "/tmp/go/gomod";
export const GO_BUILD_CACHE = "/tmp/go/gocache";

export const GO_ENV: Readonly<Record<string, string>> = {
  GOROOT: GO_ROOT,
  GOTOOLCHAIN: "local",
  GOFLAGS: "-mod=readonly -trimpath -buildvcs=false",
  GOOS: "linux",
  GOARCH: "amd64",
  GOAMD64: "v1",
  CGO_ENABLED: "0",
  GOMODCACHE: GO_MODULE_CACHE,
  GOCACHE: GO_BUILD_CACHE,
  GOENV: "off",
  GOTELEMETRY: "off",
};
