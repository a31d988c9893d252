// SPDX-License-Identifier: Apache-2.0
// Looks after a store: verifies every blob, and removes what nothing needs.
// Collecting is safe beside running commands: what is younger than an hour stays, whoever made it.
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isSha256 } from "../layout/digest.ts";
import type { Sha256 } from "../layout/digest.ts";
import { removeTree } from "./remove-tree.ts";
import type { Store } from "./store.ts";
import { blobPath, readTextIfPresent, verifyBlob } from "./store.ts";

const GRACE_MS = 60 * 60 * 1000;

export interface StoreProblem {
  readonly digest: Sha256;
  readonly path: string;
  readonly message: string;
}

/** Every blob's name, in order. */
export async function listBlobs(store: Store): Promise<readonly Sha256[]> {
  const base = join(store.dir, "blobs", "sha256");
  const digests: Sha256[] = [];
  for (const prefix of (await readdir(base)).toSorted()) {
    for (const rest of (await readdir(join(base, prefix))).toSorted()) {
      if (isSha256(prefix + rest)) digests.push(`${prefix}${rest}` as Sha256);
    }
  }
  return digests;
}

/** Hashes every blob. With `repair` a damaged one is removed, so that the next build makes or fetches it again. */
export async function verifyStore(
  store: Store,
  options: {
    readonly repair: boolean;
    readonly onBlob?: (done: number, total: number) => void;
    readonly signal?: AbortSignal;
  },
): Promise<readonly StoreProblem[]> {
  const digests = await listBlobs(store);
  const problems: StoreProblem[] = [];
  for (const [index, digest] of digests.entries()) {
    options.signal?.throwIfAborted();
    try {
      await verifyBlob(store, digest);
    } catch (error) {
      const path = blobPath(store, digest);
      problems.push({ digest, path, message: error instanceof Error ? error.message : String(error) });
      if (options.repair) await rm(path, { force: true });
    }
    options.onBlob?.(index + 1, digests.length);
  }
  return problems;
}

export interface Garbage {
  readonly blobs: readonly Sha256[];
  /** Absolute paths of left-over files and folders: temporary ones, old toolboxes. */
  readonly paths: readonly string[];
  /** Bytes of the blobs. */
  readonly bytes: number;
}

export interface Roots {
  /** Blobs that must stay. */
  readonly blobs: ReadonlySet<Sha256>;
  /** Folder names below boxes/ and cache/ that must stay. */
  readonly boxes: ReadonlySet<string>;
}

/** What `collectGarbage` would remove. `nowMs`: milliseconds since 1970. */
export async function findGarbage(store: Store, roots: Roots, nowMs: number): Promise<Garbage> {
  const blobs: Sha256[] = [];
  let bytes = 0;
  for (const digest of await listBlobs(store)) {
    if (roots.blobs.has(digest)) continue;
    const found = await stat(blobPath(store, digest)).catch(() => undefined);
    if (found === undefined || nowMs - found.ctimeMs < GRACE_MS) continue;
    blobs.push(digest);
    bytes += found.size;
  }
  const paths = [...(await staleTemporaries(store, nowMs)), ...(await staleBoxes(store, roots, nowMs))];
  return { blobs, paths, bytes };
}

export async function collectGarbage(store: Store, garbage: Garbage): Promise<void> {
  for (const digest of garbage.blobs) await rm(blobPath(store, digest), { force: true });
  for (const path of garbage.paths) await removeTree(path);
}

/** Outputs of compile steps that ran under the current lock or not: kept while their results are. */
export async function actionBlobs(store: Store): Promise<ReadonlySet<Sha256>> {
  const dir = join(store.dir, "actions");
  const kept = new Set<Sha256>();
  for (const name of await readdir(dir)) {
    for (const match of ((await readTextIfPresent(join(dir, name))) ?? "").matchAll(/"digest":"([0-9a-f]{64})"/g)) {
      const digest = match[1] ?? "";
      if (isSha256(digest)) kept.add(digest);
    }
  }
  return kept;
}

/** Files in tmp/ whose process is gone, or that are older than a day. */
async function staleTemporaries(store: Store, nowMs: number): Promise<readonly string[]> {
  const dir = join(store.dir, "tmp");
  const stale: string[] = [];
  for (const name of await readdir(dir)) {
    const path = join(dir, name);
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) continue;
    if (!isAlive(Number(name.split("-", 1).join())) || nowMs - found.mtimeMs > 24 * GRACE_MS) stale.push(path);
  }
  return stale;
}

async function staleBoxes(store: Store, roots: Roots, nowMs: number): Promise<readonly string[]> {
  const stale: string[] = [];
  for (const folder of ["boxes", "cache"]) {
    for (const name of await readdir(join(store.dir, folder))) {
      const path = join(store.dir, folder, name);
      const found = await stat(path);
      if (!roots.boxes.has(name) && nowMs - found.ctimeMs > GRACE_MS) stale.push(path);
    }
  }
  return stale;
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid < 1) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
