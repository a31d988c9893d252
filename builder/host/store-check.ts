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
  /** Files that are known to be useless, such as results of steps that nothing asked for in a long time. */
  readonly stale: readonly string[];
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
  const paths = [...roots.stale, ...(await staleTemporaries(store, nowMs)), ...(await staleBoxes(store, roots, nowMs))];
  return { blobs, paths, bytes };
}

export async function collectGarbage(store: Store, garbage: Garbage): Promise<void> {
  for (const digest of garbage.blobs) await rm(blobPath(store, digest), { force: true });
  for (const path of garbage.paths) await removeTree(path);
}

/** Results of compile steps that were used since `sinceMs` (milliseconds since 1970), and those that were not. */
export async function actionResults(
  store: Store,
  sinceMs: number,
): Promise<{ blobs: ReadonlySet<Sha256>; stale: readonly string[] }> {
  const dir = join(store.dir, "actions");
  const blobs = new Set<Sha256>();
  const stale: string[] = [];
  for (const name of await readdir(dir)) {
    const path = join(dir, name);
    if ((await stat(path)).mtimeMs < sinceMs) {
      stale.push(path);
      continue;
    }
    for (const match of ((await readTextIfPresent(path)) ?? "").matchAll(/"digest":"([0-9a-f]{64})"/g)) {
      blobs.add((match[1] ?? "") as Sha256);
    }
  }
  return { blobs, stale };
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
