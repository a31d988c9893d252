// SPDX-License-Identifier: Apache-2.0
// Looks after a store: verifies every blob, and removes what nothing needs.
// Collecting is safe beside running commands: what was made within the last hour stays.
// Limit: process ids tell which temporary files are left-overs, so all users of a store must share their process ids;
// do not collect a store from inside a container while a command outside it is writing.
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { FactoryError } from "../errors.ts";
import { isSha256 } from "../layout/digest.ts";
import type { Sha256 } from "../layout/digest.ts";
import { removeTree } from "./remove-tree.ts";
import type { Store } from "./store.ts";
import { blobPath, readTextIfPresent, verifyBlob } from "./store.ts";

const GRACE_MS = 60 * 60 * 1000;
const TEMPORARY_MAX_MS = 24 * GRACE_MS;

export interface StoreProblem {
  readonly digest: Sha256;
  readonly path: string;
  readonly message: string;
}

/** Every blob's name, in order. */
export async function listBlobs(store: Store): Promise<readonly Sha256[]> {
  const base = join(store.dir, "blobs", "sha256");
  const digests: Sha256[] = [];
  for (const prefix of (await readdir(base)).filter((name) => /^[0-9a-f]{2}$/.test(name)).sort()) {
    for (const rest of (await readdir(join(base, prefix))).sort()) {
      const digest = `${prefix}${rest}`;
      if (isSha256(digest)) digests.push(digest);
    }
  }
  return digests;
}

export interface VerifyOptions {
  readonly repair: boolean;
  readonly onBlob?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Hashes every blob. With `repair` a damaged one is removed, so that the next build makes or fetches it again. */
export async function verifyStore(store: Store, options: VerifyOptions): Promise<readonly StoreProblem[]> {
  const digests = await listBlobs(store);
  const problems: StoreProblem[] = [];
  for (const [index, digest] of digests.entries()) {
    options.signal?.throwIfAborted();
    const message = await damageOf(store, digest);
    if (message !== undefined) {
      const path = blobPath(store, digest);
      problems.push({ digest, path, message });
      if (options.repair) await rm(path, { force: true });
    }
    options.onBlob?.(index + 1, digests.length);
  }
  return problems;
}

/** What is wrong with a blob; undefined when nothing is, or when somebody collected it meanwhile. */
async function damageOf(store: Store, digest: Sha256): Promise<string | undefined> {
  try {
    await verifyBlob(store, digest);
    return undefined;
  } catch (error) {
    if (!(error instanceof FactoryError)) throw error;
    if (error.code === "STORE_MISSING") return undefined;
    if (error.code === "STORE_CORRUPT") return error.message;
    throw error;
  }
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
  for (const name of (await readdir(dir)).sort()) {
    const path = join(dir, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && found.mtimeMs < sinceMs) stale.push(path);
    if (found === undefined || found.mtimeMs < sinceMs) continue;
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
  for (const name of (await readdir(dir)).sort()) {
    const path = join(dir, name);
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) continue;
    if (!isAlive(Number(name.split("-", 1).join())) || nowMs - found.mtimeMs > TEMPORARY_MAX_MS) stale.push(path);
  }
  return stale;
}

async function staleBoxes(store: Store, roots: Roots, nowMs: number): Promise<readonly string[]> {
  const stale: string[] = [];
  for (const folder of ["boxes", "cache"]) {
    for (const name of (await readdir(join(store.dir, folder))).sort()) {
      const path = join(store.dir, folder, name);
      const found = await stat(path).catch(() => undefined);
      if (found !== undefined && !roots.boxes.has(name) && nowMs - found.ctimeMs > GRACE_MS) stale.push(path);
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
