// SPDX-License-Identifier: Apache-2.0
// Benchmark of the kernel's compile, each from an empty folder: our action, the same after a change of one line, and
// plain `make` by hand in a third folder with the same toolbox and configuration. The images must be equal, to each other
// and to the newest release's. The times mean something on an idle machine only; it prints the load.
// Run: node builder/launch.mjs --exec test/bench/kernel-compile.ts [option=value of the one-line change]
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { findReleaseWith } from "../../builder/commands/load-release.ts";
import { adoptBlob } from "../../builder/host/adopt-blob.ts";
import { removeTree } from "../../builder/host/remove-tree.ts";
import { runInSandbox } from "../../builder/host/sandbox.ts";
import { readSettings } from "../../builder/host/settings.ts";
import { openStore } from "../../builder/host/store.ts";
import { sha256 } from "../../builder/layout/digest.ts";
import type { ActionContext } from "../../builder/release/action.ts";
import type { ConfiguredKernel } from "../../builder/release/kernel-build.ts";
import {
  BUILD_ENV,
  compileKernelImage,
  configureKernel,
  readFragmentFiles,
} from "../../builder/release/kernel-build.ts";
import { findPackage, readLock } from "../../builder/release/lock.ts";
import { openToolbox } from "../../builder/release/toolbox.ts";
import { fileOf } from "../../builder/release/tree.ts";

/** One line of a fragment: a driver that the base does not have. */
const CHANGE = process.argv[2] ?? "CONFIG_E100=y";

const warm = await openStore(readSettings().storeDir);
const lock = readLock();
const toolbox = await openToolbox(warm, lock, "kernel");
const source = findPackage(lock, "kernel-source", /^linux-source-/);
const dir = mkdtempSync(join(warm.dir, "tmp", `${process.pid}-kernel-bench-`));
try {
  const cold = await openStore(join(dir, "store"));
  await adoptBlob(cold, warm, source.sha256);
  const context: ActionContext = { store: cold, signal: undefined, onAction: () => () => undefined };
  const configure = async (extra: string): Promise<ConfiguredKernel> => {
    const fragments = new Map([...(await readFragmentFiles("x86")), ["zz-change.config", `# measured\n${extra}`]]);
    return configureKernel(context, { toolbox, source, arch: "x86", fragments });
  };

  const kernel = await configure("");
  const changed = await configure(CHANGE);
  const settings = kernel.config.match(/^CONFIG_\w+=[ym]$/gm) ?? [];
  console.log(
    `${source.name} ${source.version}, ${settings.filter((s) => s.endsWith("=y")).length} y, ${settings.filter((s) => s.endsWith("=m")).length} m, ${availableParallelism()} jobs`,
  );
  let image = "";
  const ours = await timed(async () => {
    image = fileOf(await compileKernelImage(context, kernel), "vmlinuz").digest;
  });
  print("our action, cold", ours);
  console.log(`image    ours ${image}`);
  const released = (await findReleaseWith(warm, "source"))?.release.parts.kernel.digest;
  console.log(`      release ${released ?? "none with our kernel in the store"}`);
  const again = await timed(() => compileKernelImage(context, changed));
  print(`after ${CHANGE}`, again);
  let plainImage = "";
  const plain = await timed(async () => {
    plainImage = await plainMake(kernel);
  });
  print("plain make, cold", plain);
  console.log(`our action / plain make       ${(ours / plain).toFixed(2).padStart(6)}`);
  console.log(`one changed line / cold       ${(again / ours).toFixed(2).padStart(6)}`);
  console.log(`        plain ${plainImage}`);
  assert.equal(plainImage, image, "plain make gave another image");
  if (released !== undefined) assert.equal(released, image, "the release's image was built of other bytes");
} finally {
  await removeTree(dir);
}

/**
 * The compile as one would do it by hand, in a folder of its own; returns the image's digest. Inside the sandbox the paths
 * are ours: a kernel that is compiled elsewhere carries other names of its own sources.
 */
async function plainMake({ config, sourceDir }: ConfiguredKernel): Promise<string> {
  const out = join(dir, "elsewhere");
  mkdirSync(out);
  writeFileSync(join(out, ".config"), config);
  const binds = [
    { host: sourceDir, inside: "/build/source", writable: false },
    { host: out, inside: "/build/out", writable: true },
  ];
  const argv = ["make", "-C", "/build/source", "O=/build/out", "ARCH=x86", `-j${availableParallelism()}`, "bzImage"];
  const result = await runInSandbox(toolbox.root, { argv, env: BUILD_ENV, binds });
  assert.equal(result.exitCode, 0, result.stderr);
  return sha256(readFileSync(join(out, "arch/x86/boot/bzImage")));
}

/** Seconds. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

function print(name: string, seconds: number): void {
  console.log(`${name.padEnd(28)}${seconds.toFixed(0).padStart(8)}   load ${loadavg()[0]?.toFixed(1)}`);
}
