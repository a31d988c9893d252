// SPDX-License-Identifier: Apache-2.0
// dodeka store: verify and collect.
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Store } from "../host/store.ts";
import { readRef, readTextIfPresent, blobPath } from "../host/store.ts";
import type { Roots } from "../host/store-check.ts";
import { actionResults, collectGarbage, findGarbage, verifyStore } from "../host/store-check.ts";
import { now } from "../host/clock.ts";
import type { Sha256 } from "../layout/digest.ts";
import { KERNEL_CACHE_PREFIXES } from "../release/kernel-source.ts";
import { PACKAGE_GROUPS } from "../release/package-groups.ts";
import { readLock } from "../release/lock.ts";
import { parseRelease } from "../release/manifest.ts";
import { toolboxDir } from "../release/toolbox.ts";
import type { CommandContext, CommandResult } from "./context.ts";
import { contextStore } from "./context.ts";

/** Exit code 74 when a blob is damaged, unless it was repaired. */
export async function runStoreVerify(context: CommandContext, options: { readonly repair: boolean }): CommandResult {
  const store = await contextStore(context);
  const step = context.reporter.step("verify every blob");
  const onBlob = (done: number, total: number): void => step.progress(done, total);
  const problems = await verifyStore(store, { repair: options.repair, onBlob, signal: context.signal });
  if (problems.length === 0) {
    step.done("no damage");
    return undefined;
  }
  step.failed(`${problems.length} damaged`);
  context.print(problems.map((problem) => `${problem.message}\n`).join(""), { damaged: problems });
  if (!options.repair) return 74;
  context.reporter.note("damaged blobs were removed; the next `dodeka release build` makes them again");
  return undefined;
}

/** Compile steps that were not asked for in so long are done again when they are. */
const RESULT_DAYS = 30;

export interface StoreGcOptions {
  readonly dryRun: boolean;
  /** Removes results of compile steps too, however recent: only complete releases and locked packages stay. */
  readonly all: boolean;
}

/** Keeps every release that a ref names, what the lock names, and recent compile results; removes the rest. */
export async function runStoreGc(context: CommandContext, options: StoreGcOptions): CommandResult {
  const store = await contextStore(context);
  const since = options.all ? now() : now() - RESULT_DAYS * 24 * 3600 * 1000;
  const garbage = await findGarbage(store, await findRoots(store, since), now());
  const lines = [...garbage.paths, ...garbage.blobs.map((digest) => blobPath(store, digest))];
  context.print(lines.map((line) => `${line}\n`).join(""), garbage);
  const what = `${garbage.blobs.length} blobs of ${garbage.bytes} bytes, ${garbage.paths.length} folders and files`;
  if (options.dryRun) {
    context.reporter.note(`would remove ${what}`);
    return undefined;
  }
  await collectGarbage(store, garbage);
  context.reporter.note(`removed ${what}`);
  return undefined;
}

async function findRoots(store: Store, sinceMs: number): Promise<Roots> {
  const lock = readLock();
  const blobs = new Set<Sha256>(lock.packages.map((p) => p.sha256));
  for (const name of await readdir(join(store.dir, "refs"))) {
    const digest = await readRef(store, name);
    if (digest === undefined) continue;
    blobs.add(digest);
    const text = await readTextIfPresent(blobPath(store, digest));
    if (text === undefined) continue;
    for (const part of Object.values(parseRelease(text, name).parts)) blobs.add(part.digest);
  }
  const toolboxes = PACKAGE_GROUPS.filter((g) => g.kind === "toolbox").map((g) =>
    basename(toolboxDir(store, lock, g.name)),
  );
  const caches = (await readdir(join(store.dir, "cache"))).filter((name) =>
    ["go", ...KERNEL_CACHE_PREFIXES].some((prefix) => name.startsWith(prefix)),
  );
  const results = await actionResults(store, sinceMs);
  return { blobs: blobs.union(results.blobs), boxes: new Set([...toolboxes, ...caches]), stale: results.stale };
}
