// SPDX-License-Identifier: Apache-2.0
// Tests our Go code with the toolbox's own Go, offline, from the locked module caches, under the race detector. The judges'
// tools come behind the toolbox's own, and the tests have namespaces of their own, so that few have a reason to be skipped.
import { join } from "node:path";
import { USERLAND_DIR } from "../../builder/release/go-modules.ts";
import { GO_BUILD_CACHE, GO_ENV, GO_PROGRAM } from "../../builder/release/go-toolchain.ts";
import { openBox } from "../foreign/judge.ts";
import { buildStaticcheck } from "../talosctl/build.ts";
import { openGo, runInGoBox } from "./go-box.ts";
import { readEvents } from "./go-events.ts";

/** Modules with code of ours, and the packages to test. */
const MODULES: Readonly<Record<string, readonly string[]>> = {
  ".": ["./..."],
  cni: ["./...", "sigs.k8s.io/knftables/..."], // the second lies in cni/knftables
};

const JUDGES = "/tmp/judges";
const STATICCHECK = "/tmp/staticcheck";
const GO_PROGRAMS = GO_PROGRAM.slice(0, -"/go".length);
/**
 * The race detector is linked by the C compiler. The tags keep libc out of what Go does without C in our programs. Every
 * check has the same flags, so that all dependencies are compiled once.
 */
const RACE: Readonly<Record<string, string>> = {
  CGO_ENABLED: "1",
  CC: "gcc",
  GOFLAGS: `${GO_ENV["GOFLAGS"] ?? ""} -race -tags=netgo,osusergo`,
};
const TEST_ENV: Readonly<Record<string, string>> = {
  ...GO_ENV,
  ...RACE,
  GOPROXY: "off",
  PATH: `${GO_PROGRAMS}:/usr/bin:/usr/sbin:${JUDGES}/usr/bin:${JUDGES}/usr/sbin`,
  LD_LIBRARY_PATH: `${JUDGES}/usr/lib/x86_64-linux-gnu`, // both toolboxes come from one lock
  STATICCHECK_CACHE: `${GO_BUILD_CACHE}/staticcheck`,
};

interface Count {
  readonly passed: number;
  readonly failed: number;
}

interface Result {
  readonly exitCode: number;
  readonly text: string;
}

/** Runs gofmt, vet, staticcheck and the tests; counts checks and packages, and skipped tests as failures. */
export async function testGoUserland(): Promise<Count> {
  const counts: Count[] = [];
  for (const [folder, packages] of Object.entries(MODULES)) counts.push(await testModule(folder, packages));
  const sum = (of: (count: Count) => number): number => counts.reduce((total, count) => total + of(count), 0);
  return { passed: sum((c) => c.passed), failed: sum((c) => c.failed) };
}

async function testModule(folder: string, packages: readonly string[]): Promise<Count> {
  const run = await enterModule(folder);
  const format = await run(`${GO_PROGRAMS}/gofmt`, "-l", ".");
  const checks = [
    format.exitCode === 0 && format.text === "",
    (await run(GO_PROGRAM, "vet", ...packages)).exitCode === 0,
    (await run(STATICCHECK, ...packages)).exitCode === 0,
  ];
  const test = await run(GO_PROGRAM, "test", "-json", ...packages);
  const { passed, failed } = readEvents(test.text);
  const bad = failed === 0 && test.exitCode !== 0 ? 1 : failed;
  const good = checks.filter(Boolean).length;
  return { passed: passed + good, failed: bad + checks.length - good };
}

/** Runs commands in the folder of a module, and shows what they say. */
async function enterModule(folder: string): Promise<(...argv: readonly string[]) => Promise<Result>> {
  const box = await openGo(join(USERLAND_DIR, folder));
  const binds = [
    { host: (await openBox("judges")).root, inside: JUDGES, writable: false },
    { host: await buildStaticcheck(), inside: STATICCHECK, writable: false },
  ];
  return async (...argv) => {
    const result = await runInGoBox(box, { argv, env: TEST_ENV, binds, powers: true });
    const text = `${result.stdout}\n${result.stderr}`.trim();
    console.log(readEvents(text).shown);
    return { exitCode: result.exitCode, text };
  };
}
