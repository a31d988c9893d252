// SPDX-License-Identifier: Apache-2.0
// Benchmark of what evidence costs a warm build: the same build as `dodeka build` makes it, and without checksums, SBOMs
// and provenance, side by side in processes of their own, so that loading modules counts. Prints wall time and
// processor time (the steadier of the two on a busy machine) and their ratios.
// Run: node builder/launch.mjs --exec test/bench/evidence.ts [rounds] [sign]
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SELF = fileURLToPath(import.meta.url);
const BUDGET = 1.15;

interface Sample {
  readonly wallMs: number;
  readonly cpuMs: number;
}

const [mode = "9", ...rest] = process.argv.slice(2);
if (mode === "with") await buildWith(rest[0] ?? "", rest[1]);
else if (mode === "without") await buildWithout(rest[0] ?? "");
else await compare(Number(mode), rest.includes("sign"));

/** What `dodeka build metal` does after reading its command line. */
async function buildWith(outputDir: string, keyFile: string | undefined): Promise<void> {
  const { runBuild } = await import("../../builder/commands/build.ts");
  const { contextFor } = await import("../evidence/command-context.ts");
  const signing =
    keyFile === undefined ? undefined : ({ kind: "key", file: keyFile, passwordFile: undefined } as const);
  const context = contextFor(() => undefined, process.env as Record<string, string>);
  await runBuild(context, { profile: "metal", overrides: {}, release: undefined, outputDir, signing });
  report();
}

/** The same steps without evidence: plan, check what is free, write, hash, tell the reporter. */
async function buildWithout(outputDir: string): Promise<void> {
  const { planImages } = await import("../../builder/artifacts/outputs.ts");
  const { loadMachineConfig, loadProfile } = await import("../../builder/commands/load-profile.ts");
  const { blobSource, loadRelease, loadSmallParts } = await import("../../builder/commands/load-release.ts");
  const { dataLength } = await import("../../builder/encode/holes.ts");
  const { writeImageFile } = await import("../../builder/host/image-file.ts");
  const { checkFreeSpace } = await import("../../builder/host/image-target.ts");
  const { openStore } = await import("../../builder/host/store.ts");
  const { planCore } = await import("../../builder/plan/core.ts");
  const { planId } = await import("../../builder/plan/plan.ts");
  const { contextFor } = await import("../evidence/command-context.ts");
  const { settings, reporter } = contextFor(() => undefined, process.env as Record<string, string>);
  const store = await openStore(settings.storeDir);
  const loaded = await loadProfile("metal", {});
  const { release } = await loadRelease(store);
  const machineConfig = await loadMachineConfig(store, loaded);
  const parts = await loadSmallParts(store, release);
  const { plan: whole, outputs } = planImages(
    planCore(loaded.profile, release, machineConfig),
    loaded.profile.outputs,
    parts,
  );
  const needed = outputs.reduce((sum, { layout }) => sum + dataLength(layout), 0);
  await checkFreeSpace(outputDir, outputDir, needed);
  reporter.note(planId(whole));
  const blobs = blobSource(store);
  for (const { plan, layout } of outputs) {
    const step = reporter.step(plan.file);
    const path = join(outputDir, plan.file);
    const file = await writeImageFile({ layout, blobs, path, onProgress: (done, total) => step.progress(done, total) });
    reporter.artifact({ path, size: file.bytes, digest: await file.digest, kind: plan.kind });
    step.done();
  }
  report();
}

/** Time since the process began, and processor time of all its threads. */
function report(): void {
  const { user, system } = process.cpuUsage();
  console.log(JSON.stringify({ wallMs: performance.now(), cpuMs: (user + system) / 1000 } satisfies Sample));
}

async function compare(rounds: number, isSigned: boolean): Promise<void> {
  const { readSettings } = await import("../../builder/host/settings.ts");
  const dir = mkdtempSync(join(readSettings().storeDir, "tmp", `${process.pid}-bench-`));
  const key = join(dir, "key.pem");
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(key, privateKey.export({ type: "pkcs8", format: "pem" }));
  const run = (...args: readonly string[]): Sample =>
    JSON.parse(execFileSync(process.execPath, [...process.execArgv, SELF, ...args], { encoding: "utf8" })) as Sample;
  try {
    const [bare, full]: [Sample[], Sample[]] = [[], []];
    for (let round = -1; round < rounds; round++) {
      const pair = [run("without", dir), run("with", dir, ...(isSigned ? [key] : []))] as const;
      if (round < 0) continue; // warms the page cache
      bare.push(pair[0]);
      full.push(pair[1]);
    }
    console.log(`build metal (raw, ISO, UKI), warm, ${rounds} rounds, medians${isSigned ? ", signed" : ""}\n`);
    for (const [name, of] of [
      ["wall", (s: Sample) => s.wallMs],
      ["processor", (s: Sample) => s.cpuMs],
    ] as const) {
      const [a, b] = [bare, full].map((samples) => median(samples.map(of)));
      const ratio = (b ?? 0) / (a ?? 1);
      const verdict = ratio <= BUDGET ? "within" : "over";
      const figures = `${a?.toFixed(0)} ms -> ${b?.toFixed(0)} ms with evidence`;
      console.log(
        `${name.padEnd(10)} ${figures.padEnd(40)} ratio ${ratio.toFixed(3)}, ${verdict} the budget ${BUDGET}`,
      );
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
