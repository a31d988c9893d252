// SPDX-License-Identifier: Apache-2.0
// Takes a blob over from another store, as a hard link where both are on one file system, else as a copy. Trust comes
// from hashing it again, not from the other store.
import { copyFile, link, mkdir, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { Sha256 } from "../layout/digest.ts";
import type { Store } from "./store.ts";
import { blobPath, verifyBlob } from "./store.ts";

/** False when the other store has no such blob. Throws STORE_CORRUPT, and keeps nothing, for one that is damaged. */
export async function adoptBlob(store: Store, from: Store, digest: Sha256): Promise<boolean> {
  const [source, target] = [blobPath(from, digest), blobPath(store, digest)];
  if ((await stat(source).catch(() => undefined)) === undefined) return false;
  await mkdir(dirname(target), { recursive: true });
  await link(source, target).catch(() => copyFile(source, target));
  try {
    await verifyBlob(store, digest);
    return true;
  } catch (error) {
    await rm(target, { force: true });
    throw error;
  }
}
