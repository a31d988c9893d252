// SPDX-License-Identifier: Apache-2.0
// Finds the Release that images are made of: by digest, or the current one of the store.
import { FactoryError } from "../errors.ts";
import type { BlobSource } from "../encode/read-layout.ts";
import type { SmallParts } from "../artifacts/small-parts.ts";
import { SMALL_PARTS } from "../artifacts/small-parts.ts";
import type { Sha256 } from "../layout/digest.ts";
import { parseSha256, sha256 } from "../layout/digest.ts";
import type { Release } from "../release/manifest.ts";
import { parseRelease, renderRelease } from "../release/manifest.ts";
import type { Store } from "../host/store.ts";
import { blobPath, checkBlob, putBytes, readBlob, readRef, readWholeBlob, writeRef } from "../host/store.ts";

const CURRENT_REF = "release-amd64";

export interface LoadedRelease {
  readonly release: Release;
  /** SHA-256 of the manifest. */
  readonly digest: Sha256;
}

/** Throws RELEASE_MISSING when there is none, STORE_MISSING or STORE_CORRUPT when a part is not what the manifest says. */
export async function loadRelease(store: Store, wanted?: string): Promise<LoadedRelease> {
  const digest = wanted === undefined ? await readRef(store, CURRENT_REF) : parseSha256(wanted, "--release");
  if (digest === undefined) throw missing(store.dir);
  const text = Buffer.from(await readWholeBlob(store, digest)).toString("utf8");
  const release = parseRelease(text, `release ${digest.slice(0, 12)}`);
  for (const part of Object.values(release.parts)) await checkBlob(store, part.digest, part.size);
  return { release, digest };
}

/** The current release, or undefined when there is none or a part of it is gone. */
export async function findRelease(store: Store): Promise<LoadedRelease | undefined> {
  try {
    return await loadRelease(store);
  } catch (error) {
    if (error instanceof FactoryError && /^(RELEASE|STORE)_/.test(error.code)) return undefined;
    throw error;
  }
}

/** Stores the manifest and makes it the current release. */
export async function saveRelease(store: Store, release: Release): Promise<Sha256> {
  const { digest } = await putBytes(store, renderRelease(release));
  if (digest !== sha256(renderRelease(release))) throw missing(store.dir);
  await writeRef(store, CURRENT_REF, digest);
  return digest;
}

/** The parts that layouts read, in memory. */
export async function loadSmallParts(store: Store, release: Release): Promise<SmallParts> {
  const read = SMALL_PARTS.map(async (name) => [name, await readWholeBlob(store, release.parts[name].digest)] as const);
  return Object.fromEntries(await Promise.all(read)) as Record<(typeof SMALL_PARTS)[number], Uint8Array>;
}

/** The store as writers of images see it. */
export function blobSource(store: Store): BlobSource {
  return {
    read: (digest, offset, length) => readBlob(store, digest, offset, length),
    path: async (digest) => {
      await checkBlob(store, digest);
      return blobPath(store, digest);
    },
  };
}

function missing(dir: string): FactoryError {
  return new FactoryError({
    code: "RELEASE_MISSING",
    file: dir,
    field: "release",
    found: "no release in the store",
    expected: "a compiled release",
    fix: "run `dodeka release build`",
  });
}
