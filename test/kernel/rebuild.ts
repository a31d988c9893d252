// SPDX-License-Identifier: Apache-2.0
// Compiles the newest release's own kernel again, from nothing, in a store elsewhere, and compares every part of it byte
// for byte, the extensions' modules too, which `dodeka reproduce` leaves out. It takes as long as a cold build, so it is
// no part of `npm test`. Other core counts: put `taskset -c 0` first.
// Run: node builder/launch.mjs --exec test/kernel/rebuild.ts [directory]
import { spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { findReleaseWith } from "../../builder/commands/load-release.ts";
import { adoptBlob } from "../../builder/host/adopt-blob.ts";
import { removeTree } from "../../builder/host/remove-tree.ts";
import { openStore } from "../../builder/host/store.ts";
import { readLock } from "../../builder/release/lock.ts";
import { ROOT } from "../structure/tracked-files.ts";
import { ownRelease } from "./guest-kernel.ts";

const { store, release } = await ownRelease();
const dir = mkdtempSync(join(process.argv[2] ?? tmpdir(), "kernel-built-elsewhere-"));
try {
  const second = await openStore(dir);
  for (const { sha256 } of readLock().packages) await adoptBlob(second, store, sha256); // saves fetching them again
  console.log(`release of ${release.kernel.release}; again in ${dir} with ${availableParallelism()} jobs`);
  const hasModules = Object.keys(release.parts).some((name) => name.startsWith("kernel-modules-"));
  const command = [
    "builder/main.ts",
    "release",
    "build",
    "--kernel",
    "source",
    ...(hasModules ? [] : ["--no-modules"]),
  ];
  const started = performance.now();
  const env = { ...process.env, DODEKA_STORE: dir, TZ: "Asia/Kathmandu", LC_ALL: "C.UTF-8" };
  const run = spawnSync(process.execPath, command, { cwd: ROOT, env, stdio: "inherit" });
  if (run.status !== 0) throw new Error(`the second build ended with ${run.status}`);
  console.log(`built in ${((performance.now() - started) / 60_000).toFixed(1)} minutes`);
  const again = await findReleaseWith(second, "source");
  const names = Object.keys(release.parts).filter((name) => name.startsWith("kernel"));
  let different = 0;
  for (const name of names) {
    const [a, b] = [release.parts[name]?.digest, again?.release.parts[name]?.digest];
    if (a !== b) different++;
    console.log(
      `${a === b ? "equal    " : "DIFFERENT"} ${name.padEnd(34)} ${a ?? "missing"}${a === b ? "" : ` ${b ?? "missing"}`}`,
    );
  }
  process.exitCode = different === 0 ? 0 : 1;
} finally {
  await removeTree(dir);
}
