// SPDX-License-Identifier: Apache-2.0
// Writes a layout to a file: sparse, under a temporary name until it is complete. The file is complete first and its
// SHA-256 known later: hashing the zeros of an image takes ten times as long as writing its data, so a worker hashes
// behind the writer, and whoever only wants the file does not wait for it.
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { dataLength } from "../encode/holes.ts";
import type { BlobSource } from "../encode/read-layout.ts";
import { FactoryError } from "../errors.ts";
import type { Sha256 } from "../layout/digest.ts";
import type { Layout } from "../layout/extent.ts";
import { fillFile } from "./fill-file.ts";
import { startFileDigest } from "./file-digest.ts";
import { checkImageTarget } from "./image-target.ts";
import { claimClone, claimPartial } from "./partial-file.ts";
import type { PartialFile } from "./partial-file.ts";
import { describeWriteError } from "./write-error.ts";

export interface ImageFileRequest {
  readonly layout: Layout;
  readonly blobs: BlobSource;
  /** Final path. Its directory must exist; a regular file there is replaced at the end, anything else is refused. */
  readonly path: string;
  /**
   * Waits until file and name are on the medium. False by default: an image can be made again, and the wait is that of
   * the disk. For removable media, true.
   */
  readonly durable?: boolean | undefined;
  /** Called about once per MiB with the data bytes so far and in total, holes not counted. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ImageFile {
  readonly path: string;
  /** Length of the file, holes included. */
  readonly bytes: number;
  /** SHA-256 of all bytes, holes included, as read back from the file. STORE_CORRUPT: a cloned blob was not its name. */
  readonly digest: Promise<Sha256>;
}

/**
 * Resolves when the file is complete under its final name; `digest` resolves later. Holds a few MiB whatever the image's
 * size. On any failure and on abort nothing is left behind. Throws DISK_FULL, OUTPUT_UNWRITABLE, CANCELLED, and what
 * reading the layout throws.
 */
export async function writeImageFile(request: ImageFileRequest): Promise<ImageFile> {
  const { layout, path, signal } = request;
  try {
    signal?.throwIfAborted();
    await checkImageTarget(path, dataLength(layout));
    const clone = await cloneBlob(request);
    return await writePartial(clone?.file ?? (await claimPartial(path)), request, clone?.blob);
  } catch (error) {
    throw signal?.aborted === true ? cancelled(path, error) : describeWriteError(error, path);
  }
}

/** Sees to it that the file is closed, after hashing, and removed on failure. */
async function writePartial(partial: PartialFile, request: ImageFileRequest, cloned?: Sha256): Promise<ImageFile> {
  const { layout, path, durable = false } = request;
  const { handle } = partial;
  const hash = startFileDigest(handle.fd, layout.length);
  try {
    if (cloned === undefined) await fillFile({ ...request, handle, onRange: hash.add });
    else hash.add({ kind: "data", offset: 0, length: layout.length });
    request.signal?.throwIfAborted();
    if (durable) await handle.sync();
    await partial.complete();
    if (durable) await syncDirectory(dirname(path));
    const digest = hash.finish().then((found) => expectDigest(found, cloned));
    void digest.catch(() => undefined).then(async () => handle.close()); // who ignores a digest is not told of it
    return { path, bytes: layout.length, digest };
  } catch (error) {
    await partial.discard();
    await hash.abandon();
    await handle.close();
    throw error;
  }
}

interface Clone {
  readonly file: PartialFile;
  readonly blob: Sha256;
}

/**
 * When the layout is one whole blob in a file, a file that shares its blocks. Undefined where the filesystem cannot:
 * copying by copyFile takes longer than fillFile does.
 */
async function cloneBlob({ layout, blobs, path }: ImageFileRequest): Promise<Clone | undefined> {
  const [extent] = layout.extents;
  if (extent?.source.kind !== "blob" || extent.length !== layout.length || extent.source.offset !== 0) return undefined;
  const blob = extent.source.digest;
  const origin = await blobs.path?.(blob);
  const file = origin === undefined ? undefined : await claimClone(path, origin);
  if (file === undefined) return undefined;
  if ((await file.handle.stat()).size === layout.length) return { file, blob };
  await file.discard();
  await file.handle.close();
  return undefined;
}

function expectDigest(found: Sha256, expected: Sha256 | undefined): Sha256 {
  if (expected === undefined || found === expected) return found;
  throw new FactoryError({
    code: "STORE_CORRUPT",
    field: `blob ${expected}`,
    found,
    expected: "bytes with the digest in its name",
    fix: "remove the blob from the store and build the release again",
  });
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function cancelled(path: string, cause: unknown): FactoryError {
  const expected = "to be left to finish";
  return new FactoryError({ code: "CANCELLED", file: path, expected, fix: "run the command again", cause });
}
