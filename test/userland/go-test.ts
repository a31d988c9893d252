// SPDX-License-Identifier: Apache-2.0
// Tests our Go code with the toolbox's own Go, offline, from the locked module caches. The judges' tools come behind the
// toolbox's own, and the tests have namespaces of their own, so that none has a reason to be skipped.
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

const JUDGES = "/tmp/judges";
const TEST_ENV: Readonly<Record<string, string>> = {
  ...GO_ENV,
  GOPROXY: "off",
  PATH: `${GO_PROGRAM.slice(0, -"/go".length)}:/usr/bin:/usr/sbin:${JUDGES}/usr/bin:${JUDGES}/usr/sbin`,
  LD_LIBRARY_PATH: `${JUDGES}/usr/lib/x86_64-linux-gnu`, // both toolboxes come from one lock
};

interface Count {
  readonly passed: number;
  readonly failed: number;
}

/** Runs vet and tests; counts packages, and skipped tests as failures. */
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
  const judges = await openBox("judges");
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
      { host: judges.root, inside: JUDGES, writable: false },
    ];
    const argv = [GO_PROGRAM, ...args, ...packages];
    const result = await runInSandbox(toolbox.root, { argv, env: TEST_ENV, binds, cwd: "/build", powers: true });
    const text = `${result.stdout}\n${result.stderr}`.trim();
    console.log(withoutPassed(text));
    return { exitCode: result.exitCode, text };
  };
  const vet = await run("vet");
  const test = await run("test", "-v");
  return countPackages(vet.exitCode, test);
}

/** A skipped test is a failure: its tool or its right is lent here, or it is no test of this stage. */
function countPackages(vetExitCode: number, test: { readonly exitCode: number; readonly text: string }): Count {
  const count = (pattern: RegExp): number => [...test.text.matchAll(pattern)].length;
  const passed = count(/^ok\s/gm) + (vetExitCode === 0 ? 1 : 0);
  const failed = count(/^FAIL\s+\S+\s/gm) + count(/^\s*--- SKIP: /gm) + (vetExitCode === 0 ? 0 : 1);
  return { passed, failed: test.exitCode !== 0 && failed === 0 ? 1 : failed };
}

/** The lines of a verbose run that say more than that a test ran. */
function withoutPassed(text: string): string {
  return text
    .split("\n")
    .filter((line) => !/^\s*(=== |--- PASS: )|^PASS$/.test(line))
    .join("\n");
}
