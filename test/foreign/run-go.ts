// SPDX-License-Identifier: Apache-2.0
// Builds a small Go program of the tests with the toolbox's Go. Its modules come over the network on first use; go.sum
// pins every byte of them. What is fetched and compiled stays in the store's cache.
import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { existingFiles } from "../../builder/host/existing-files.ts";
import { runInSandbox } from "../../builder/host/sandbox.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { openStore } from "../../builder/host/store.ts";
import { GO_ENV, GO_PROGRAM } from "../../builder/release/go-toolchain.ts";
import type { JudgeResult } from "./judge.ts";
import { openBox } from "./judge.ts";

const NETWORK_FILES = ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl/certs/ca-certificates.crt"];

/** Runs the program whose sources are in `source`; `files` lie in `dir`, which it may read. */
export async function runGo(source: string, dir: string, files: readonly string[]): Promise<JudgeResult> {
  const settings = readSettings();
  const { dir: store } = await openStore(settings.storeDir);
  const cache = join(store, "cache", `go-${basename(source)}`);
  await mkdir(cache, { recursive: true });
  const network = await existingFiles(NETWORK_FILES);
  const { root } = await openBox("compile");
  const env = {
    ...GO_ENV,
    ...settings.goNetwork,
    GOFLAGS: "-mod=readonly -modcacherw -buildvcs=false",
    GOMODCACHE: "/tmp/go/cache/mod",
    GOCACHE: "/tmp/go/cache/build",
  };
  const binds = [
    { host: source, inside: "/build", writable: false },
    { host: cache, inside: "/tmp/go/cache", writable: true },
    { host: dir, inside: dir, writable: false },
    ...network.map((file) => ({ host: file, inside: file, writable: false })),
  ];
  const command = { argv: [GO_PROGRAM, "run", ".", ...files], env, binds, cwd: "/build", network: true };
  return runInSandbox(root, command, { timeoutMs: 600_000 });
}
