// SPDX-License-Identifier: Apache-2.0
// Benchmark of a cold compile: the time of each step of `release build` in an empty store (packages and Go modules come
// from the warm one), next to the bare tool doing the same work in the same toolbox.
// Run: node builder/launch.mjs --exec test/bench/compile.ts
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { adoptBlob } from "../../builder/host/adopt-blob.ts";
import { runInSandbox } from "../../builder/host/sandbox.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { openStore } from "../../builder/host/store.ts";
import { packagesOf, readLock } from "../../builder/release/lock.ts";
import { USERLAND_DIR } from "../../builder/release/go-modules.ts";
import { GO_BUILD_CACHE, GO_ENV, GO_MODULE_CACHE, GO_PROGRAM } from "../../builder/release/go-toolchain.ts";
import { USERLAND_MODULES } from "../../builder/release/userland-table.ts";
import { openGo } from "../userland/go-box.ts";

const MAIN = fileURLToPath(new URL("../../builder/main.ts", import.meta.url));

interface StepEvent {
  readonly event: string;
  readonly name?: string;
  readonly outcome?: string;
  readonly durationMs?: number;
}

const warm = await openStore(readSettings().storeDir);
const lock = readLock();
const coldDir = mkdtempSync(join(warm.dir, "tmp", `${process.pid}-bench-`));
try {
  const cold = await openStore(coldDir);
  for (const { sha256 } of ["compile", "parts"].flatMap((g) => packagesOf(lock, g)))
    await adoptBlob(cold, warm, sha256);
  const modules = readdirSync(join(warm.dir, "cache")).filter((name) => name.startsWith("gomod-"));
  for (const name of modules) cpSync(join(warm.dir, "cache", name), join(coldDir, "cache", name), { recursive: true });

  const started = performance.now();
  const events = await compileWith(coldDir);
  const total = performance.now() - started;
  console.log("step                        time");
  for (const { name, durationMs, outcome } of events) {
    if (durationMs !== undefined) console.log(`${(name ?? "").padEnd(26)}${seconds(durationMs)}  ${outcome ?? ""}`);
  }
  console.log(`${"all, steps side by side".padEnd(26)}${seconds(total)}`);
  const step = events.find((e) => e.event === "step-finished" && e.name === "userland")?.durationMs;
  const bare = await bareGoBuild();
  console.log(`\nbare go build, empty cache${seconds(bare)}  alone on the machine`);
  if (step !== undefined)
    console.log(
      `ratio of the step         ${(step / bare).toFixed(2).padStart(7)}  while other modules compile beside it`,
    );
} finally {
  rmSync(coldDir, { recursive: true, force: true });
}

function compileWith(store: string): Promise<readonly StepEvent[]> {
  return new Promise((resolve, reject) => {
    let output = "";
    const env = { ...process.env, DODEKA_STORE: store };
    const child = spawn(process.execPath, [MAIN, "--json", "release", "build", "--kernel", "stock"], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")));
    child.on("error", reject);
    child.on("close", (code) => {
      const events = output
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line) as StepEvent);
      if (code === 0) resolve(events.filter((e) => e.event === "step-finished"));
      else reject(new Error(`release build ended with ${code}\n${output}`));
    });
  });
}

/** The same compilation of our own programs by hand: no action, no staging, no store. */
async function bareGoBuild(): Promise<number> {
  const module = USERLAND_MODULES.find(({ kind }) => kind === "own");
  if (module === undefined) throw new Error("BUG: the table has no module of ours");
  const { toolbox, modules } = await openGo(USERLAND_DIR);
  const cache = mkdtempSync(join(coldDir, "tmp", "bare-"));
  const binds = [
    { host: USERLAND_DIR, inside: "/build", writable: false },
    { host: modules, inside: GO_MODULE_CACHE, writable: false },
    { host: cache, inside: GO_BUILD_CACHE, writable: true },
  ];
  const argv = [GO_PROGRAM, "build", "-ldflags=-s -w -buildid=", "-o", "/tmp/", ...module.packages];
  const started = performance.now();
  const result = await runInSandbox(toolbox.root, { argv, env: { ...GO_ENV, GOPROXY: "off" }, binds, cwd: "/build" });
  if (result.exitCode !== 0) throw new Error(result.stderr);
  return performance.now() - started;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1).padStart(7)} s`;
}
