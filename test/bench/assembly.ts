// SPDX-License-Identifier: Apache-2.0
// Benchmark of assembly with a warm store, side by side with cp(1) in one run. Prints ratios and the floor: the bytes
// that must be hashed and written, and what hashing and copying them costs on this machine at least.
// Run: node builder/launch.mjs --exec test/bench/assembly.ts [rounds]
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { planImages } from "../../builder/artifacts/outputs.ts";
import type { PlannedOutput } from "../../builder/artifacts/planned.ts";
import { blobSource, loadRelease, loadSmallParts } from "../../builder/commands/load-release.ts";
import { loadProfile } from "../../builder/commands/load-profile.ts";
import { readLayout } from "../../builder/encode/read-layout.ts";
import { writeImageFile } from "../../builder/host/image-file.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { openStore } from "../../builder/host/store.ts";
import { planCore } from "../../builder/plan/core.ts";
import { applyOverrides } from "../../builder/profile/overrides.ts";

const rounds = Number(process.argv[2] ?? 9);
const MIB = 1024 * 1024;
const MAIN = fileURLToPath(new URL("../../builder/main.ts", import.meta.url));

const store = await openStore(readSettings().storeDir);
const { release } = await loadRelease(store);
const parts = await loadSmallParts(store, release);
const { profile } = await loadProfile("metal", {});
const blobs = blobSource(store);
const dir = mkdtempSync(join(store.dir, "tmp", `${process.pid}-bench-`));

/** A plan that differs from every other one by a kernel argument. */
function freshOutputs(round: string): readonly PlannedOutput[] {
  const changed = applyOverrides(profile, { addArguments: [`bench=${round}`] });
  return planImages(planCore(changed, release, null), changed.outputs, parts).outputs;
}

interface Sample {
  readonly completeMs: number;
  readonly digestMs: number;
}

async function writeAll(outputs: readonly PlannedOutput[]): Promise<Sample> {
  const started = performance.now();
  const digests: Promise<unknown>[] = [];
  for (const { plan, layout } of outputs) {
    const file = await writeImageFile({ layout, blobs, path: join(dir, plan.file) });
    digests.push(file.digest);
  }
  const completeMs = performance.now() - started;
  await Promise.all(digests);
  return { completeMs, digestMs: performance.now() - started };
}

function copyAll(outputs: readonly PlannedOutput[]): number {
  const started = performance.now();
  for (const { plan } of outputs) execFileSync("cp", [join(dir, plan.file), join(dir, `${plan.file}.copy`)]);
  const elapsed = performance.now() - started;
  for (const { plan } of outputs) rmSync(join(dir, `${plan.file}.copy`));
  return elapsed;
}

async function firstByteMs(round: string): Promise<number> {
  const started = performance.now();
  const outputs = freshOutputs(round);
  for (const { layout } of outputs) {
    for await (const chunk of readLayout(layout, blobs)) if (chunk.length > 0) break;
  }
  return (performance.now() - started) / outputs.length;
}

const ONE_MIB = Buffer.alloc(MIB);

function hashOneMib(): number {
  const started = performance.now();
  createHash("sha256").update(ONE_MIB).digest();
  return performance.now() - started;
}

/** Bytes of resident memory at the peak of a build of every default output, in a process of its own. */
async function peakOfBuild(): Promise<number> {
  const child = spawn(process.execPath, [MAIN, "build", "metal", "-o", dir], { stdio: "ignore" });
  let peak = 0;
  const timer = setInterval(() => {
    const status = child.pid === undefined ? "" : readIfThere(`/proc/${child.pid}/status`);
    peak = Math.max(peak, Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024);
  }, 2);
  const [code] = (await once(child, "exit")) as [number | null];
  clearInterval(timer);
  if (code !== 0) throw new Error(`the build ended with ${code}`);
  return peak;
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function row(name: string, value: string, budget: string): void {
  console.log(`${name.padEnd(46)}${value.padStart(22)}   ${budget}`);
}

function ms(value: number): string {
  return `${value.toFixed(1)} ms`;
}

try {
  const raw: Sample[] = [];
  const all: Sample[] = [];
  const copyRaw: number[] = [];
  const copyThree: number[] = [];
  const first: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const outputs = freshOutputs(`${round}`);
    const disk = outputs.find((o) => o.plan.kind === "raw");
    if (disk === undefined) throw new Error("the profile has no raw output");
    raw.push(await writeAll([disk]));
    copyRaw.push(copyAll([disk]));
    all.push(await writeAll(outputs));
    copyThree.push(copyAll(outputs));
    first.push(await firstByteMs(`first-${round}`));
  }
  const outputs = freshOutputs("floor");
  const data = outputs.map((o) =>
    o.layout.extents.filter((e) => e.source.kind !== "zeros").reduce((sum, e) => sum + e.length, 0),
  );
  const total = outputs.reduce((sum, o) => sum + o.layout.length, 0);
  const hashMsPerMib = median(Array.from({ length: 21 }, hashOneMib));

  console.log(`assembly, ${rounds} rounds, medians; store and output on one file system\n`);
  row("plan and first byte of an image", ms(median(first)), "budget 30 ms");
  row("raw complete on disk", ms(median(raw.map((s) => s.completeMs))), `cp of it ${ms(median(copyRaw))}`);
  row("  ratio", (median(raw.map((s) => s.completeMs)) / median(copyRaw)).toFixed(2), "budget 1.2");
  row("raw with its SHA-256", ms(median(raw.map((s) => s.digestMs))), "");
  row(
    "raw + ISO + UKI complete on disk",
    ms(median(all.map((s) => s.completeMs))),
    `cp of them ${ms(median(copyThree))}`,
  );
  row("  ratio", (median(all.map((s) => s.completeMs)) / median(copyThree)).toFixed(2), "budget 2");
  row("raw + ISO + UKI with their SHA-256", ms(median(all.map((s) => s.digestMs))), "");
  row("peak memory of `dodeka build metal`", `${((await peakOfBuild()) / MIB).toFixed(0)} MiB`, "budget 150 MB");
  console.log("\nfloor");
  row("bytes written", `${(data.reduce((a, b) => a + b, 0) / MIB).toFixed(1)} MiB`, "");
  row(
    "bytes hashed, zeros included",
    `${(total / MIB).toFixed(1)} MiB`,
    `${ms((total / MIB) * hashMsPerMib)} on one core`,
  );
  row("bytes compressed", "0", "");
  row("ISO over the parts it carries", isoOverhead(outputs), "budget 1.05");
} finally {
  rmSync(dir, { recursive: true });
}

function isoOverhead(outputs: readonly PlannedOutput[]): string {
  const iso = outputs.find((o) => o.plan.kind === "iso");
  const { kernel, initramfs, root } = release.parts;
  const carried =
    kernel.size + initramfs.size + root.size + release.parts["systemd-boot"].size + release.parts["grub-cd"].size;
  return iso === undefined
    ? "-"
    : `${(iso.layout.length / carried).toFixed(3)} (allocated ${(allocated(iso) / carried).toFixed(3)})`;
}

function allocated(output: PlannedOutput): number {
  return statSync(join(dir, output.plan.file)).blocks * 512;
}
