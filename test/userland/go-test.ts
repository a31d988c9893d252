// SPDX-License-Identifier: Apache-2.0
// Tests the userland with the toolbox's own Go, offline, from the locked module cache.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { existingFiles } from "../../builder/host/existing-files.ts";
import { runInSandbox } from "../../builder/host/sandbox.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { openStore } from "../../builder/host/store.ts";
import { GO_ENV, GO_PROGRAM, fetchGoModules, readUserlandSources } from "../../builder/release/userland.ts";
import { openBox } from "../foreign/judge.ts";
import { ROOT } from "../structure/tracked-files.ts";

const NETWORK_FILES = ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl/certs/ca-certificates.crt"];

/** Runs vet and tests; counts packages. */
export async function testGoUserland(): Promise<{ readonly passed: number; readonly failed: number }> {
  const settings = readSettings();
  const store = await openStore(settings.storeDir);
  const toolbox = await openBox("compile");
  const context = { store, signal: undefined, onAction: () => () => undefined };
  const network = { env: settings.goNetwork, files: await existingFiles(NETWORK_FILES) };
  const modules = await fetchGoModules(context, toolbox, await readUserlandSources(store), network);
  const cache = join(store.dir, "cache", "gotest");
  await mkdir(cache, { recursive: true });
  const run = async (...args: readonly string[]): Promise<{ exitCode: number; text: string }> => {
    const binds = [
      { host: join(ROOT, "userland"), inside: "/build", writable: false },
      { host: modules, inside: "/tmp/go/gomod", writable: false },
      { host: cache, inside: "/tmp/go/gocache", writable: true },
    ];
    const argv = [GO_PROGRAM, ...args];
    const result = await runInSandbox(toolbox.root, { argv, env: { ...GO_ENV, GOPROXY: "off" }, binds, cwd: "/build" });
    const text = `${result.stdout}\n${result.stderr}`.trim();
    console.log(text);
    return { exitCode: result.exitCode, text };
  };
  const vet = await run("vet", "./...");
  const test = await run("test", "./...");
  const count = (pattern: RegExp): number => [...test.text.matchAll(pattern)].length;
  const passed = count(/^ok\s/gm) + (vet.exitCode === 0 ? 1 : 0);
  const failed = count(/^(FAIL|---? FAIL)\s+\S+\s/gm) + (vet.exitCode === 0 ? 0 : 1);
  return { passed, failed: test.exitCode !== 0 && failed === 0 ? 1 : failed };
}
