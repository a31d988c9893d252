// SPDX-License-Identifier: Apache-2.0
// Tests our Go code with the toolbox's own Go, offline, from the locked module caches.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { existingFiles } from "../../builder/host/existing-files.ts";
import { runInSandbox } from "../../builder/host/sandbox.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { openStore } from "../../builder/host/store.ts";
import { USERLAND_DIR, fetchGoModules, readModuleSources } from "../../builder/release/go-modules.ts";
import { GO_BUILD_CACHE, GO_ENV, GO_MODULE_CACHE, GO_PROGRAM } from "../../builder/release/go-toolchain.ts";
import { openBox } from "../foreign/judge.ts";

const NETWORK_FILES = ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl/certs/ca-certificates.crt"];

/** Modules with code of ours, and the packages to test. */
const MODULES: Readonly<Record<string, readonly string[]>> = {
  ".": ["./..."],
  cni: ["./...", "sigs.k8s.io/knftables/..."], // the second lies in cni/knftables
};

interface Count {
  readonly passed: number;
  readonly failed: number;
}

/** Runs vet and tests; counts packages. */
export async function testGoUserland(): Promise<Count> {
  const counts: Count[] = [];
  for (const [folder, packages] of Object.entries(MODULES)) counts.push(await testModule(folder, packages));
  const sum = (of: (count: Count) => number): number => counts.reduce((total, count) => total + of(count), 0);
  return { passed: sum((c) => c.passed), failed: sum((c) => c.failed) };
}

async function testModule(folder: string, packages: readonly string[]): Promise<Count> {
  const settings = readSettings();
  const store = await openStore(settings.storeDir);
  const toolbox = await openBox("compile");
  const context = { store, signal: undefined, onAction: () => () => undefined };
  const network = { env: settings.goNetwork, files: await existingFiles(NETWORK_FILES) };
  const dir = join(USERLAND_DIR, folder);
  const modules = await fetchGoModules(context, toolbox, await readModuleSources(store, dir), network);
  const cache = join(store.dir, "cache", "gotest");
  await mkdir(cache, { recursive: true });
  const run = async (...args: readonly string[]): Promise<{ exitCode: number; text: string }> => {
    const binds = [
      { host: dir, inside: "/build", writable: false },
      { host: modules, inside: GO_MODULE_CACHE, writable: false },
      { host: cache, inside: GO_BUILD_CACHE, writable: true },
    ];
    const argv = [GO_PROGRAM, ...args, ...packages];
    const result = await runInSandbox(toolbox.root, { argv, env: { ...GO_ENV, GOPROXY: "off" }, binds, cwd: "/build" });
    const text = `${result.stdout}\n${result.stderr}`.trim();
    console.log(text);
    return { exitCode: result.exitCode, text };
  };
  const vet = await run("vet");
  const test = await run("test");
  const count = (pattern: RegExp): number => [...test.text.matchAll(pattern)].length;
  const passed = count(/^ok\s/gm) + (vet.exitCode === 0 ? 1 : 0);
  const failed = count(/^(FAIL|---? FAIL)\s+\S+\s/gm) + (vet.exitCode === 0 ? 0 : 1);
  return { passed, failed: test.exitCode !== 0 && failed === 0 ? 1 : failed };
}
