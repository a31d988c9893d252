// SPDX-License-Identifier: Apache-2.0
// Finds the Release that images are made of: by digest, or the current one of the store.
import { FactoryError } from "../errors.ts";
import type { BlobSource } from "../encode/read-layout.ts";
import type { SmallParts } from "../artifacts/small-parts.ts";
import { SMALL_PARTS } from "../artifacts/small-parts.ts";
import type { Sha256 } from "../layout/digest.ts";
import { isSha256 } from "../layout/digest.ts";
import type { KernelFlavour, Release } from "../release/manifest.ts";
import { parseRelease, renderRelease } from "../release/manifest.ts";
import type { Store } from "../host/store.ts";
import { blobPath, checkBlob, putBytes, readBlob, readRef, readWholeBlob, writeRef } from "../host/store.ts";

const CURRENT_REF = "release-amd64";

/** The newest release with this kernel; it stays when one with the other kernel becomes the current one. */
const flavourRef = (flavour: KernelFlavour): string => `${CURRENT_REF}-${flavour}`;

export interface LoadedRelease {
  readonly release: Release;
  /** SHA-256 of the manifest. */
  readonly digest: Sha256;
}

/**
 * The release named by `wanted`, or the current one. Throws USAGE for a name that is no digest, RELEASE_MISSING when there
 * is none, STORE_MISSING or STORE_CORRUPT when a part is not what the manifest says.
 */
export async function loadRelease(store: Store, wanted?: string): Promise<LoadedRelease> {
  const digest = wanted ?? (await readRef(store, CURRENT_REF));
  if (digest === undefined) throw missing(store.dir, "no release in the store");
  if (!isSha256(digest)) throw noDigest(digest);
  const text = Buffer.from(await readManifest(store, digest)).toString("utf8");
  const release = parseRelease(text, `release ${digest.slice(0, 12)}`);
  for (const part of Object.values(release.parts)) await checkBlob(store, part.digest, part.size);
  return { release, digest };
}

async function readManifest(store: Store, digest: Sha256): Promise<Uint8Array> {
  try {
    return await readWholeBlob(store, digest);
  } catch (error) {
    if (error instanceof FactoryError && error.code === "STORE_MISSING") throw missing(store.dir, digest);
    throw error;
  }
}

/** The current release or the one wanted, or undefined when there is none or a part of it is gone. */
export async function findRelease(store: Store, wanted?: string): Promise<LoadedRelease | undefined> {
  try {
    return await loadRelease(store, wanted);
  } catch (error) {
    if (error instanceof FactoryError && /^(RELEASE|STORE)_/.test(error.code)) return undefined;
    throw error;
  }
}

/** The newest release with this kernel, or undefined when there is none or a part of it is gone. */
export async function findReleaseWith(store: Store, flavour: KernelFlavour): Promise<LoadedRelease | undefined> {
  const current = await findRelease(store);
  if (current?.release.kernel.flavour === flavour) return current;
  const digest = await readRef(store, flavourRef(flavour));
  return digest === undefined ? undefined : findRelease(store, digest);
}

/** Stores the manifest and makes it the current release. */
export async function saveRelease(store: Store, release: Release): Promise<Sha256> {
  const { digest } = await putBytes(store, renderRelease(release));
  await writeRef(store, flavourRef(release.kernel.flavour), digest);
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

function noDigest(found: string): FactoryError {
  return new FactoryError({
    code: "USAGE",
    field: "--release",
    found,
    expected: "64 lower-case hexadecimal digits",
    fix: "run `dodeka release show` to see the digest of the current release, or leave the option out",
  });
}

function missing(dir: string, found: string): FactoryError {
  return new FactoryError({
    code: "RELEASE_MISSING",
    file: dir,
    field: "release",
    found,
    expected: "a compiled release in the store",
    fix: "run `dodeka release build`",
  });
}
