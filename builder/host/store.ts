// SPDX-License-Identifier: Apache-2.0
// The content-addressed store: a directory of blobs named by SHA-256.
//   blobs/sha256/ab/<62 digits>   mode 0444, mtime 1 (see `trusted`)
//   actions/<digest>.json         results of compile steps
//   refs/<name>                   a digest that keeps blobs alive and gives them a name
//   boxes/<digest>/               toolboxes, unpacked
//   tmp/<pid>-<n>-<random>        files under way; never read by anybody else
// A blob appears by rename(2) of a complete, synced file, so a reader sees all of it or nothing, several processes
// may put the same blob at once, and kill -9 leaves only a file in tmp/ that `gc` removes.
import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { chmod, mkdir, open, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { FactoryError } from "../errors.ts";
import type { BlobRef, Sha256 } from "../layout/digest.ts";
import { isSha256 } from "../layout/digest.ts";
import { now } from "./clock.ts";
import { describeWriteError } from "./write-error.ts";

/** Seconds. A blob's modification time once it was verified; any later write to the file moves it. */
const VERIFIED_MTIME = 1;
const CHUNK_BYTES = 1024 * 1024;

export interface Store {
  readonly dir: string;
}

/** A store at `dir`; creates the folders. Throws OUTPUT_UNWRITABLE when it cannot. */
export async function openStore(dir: string): Promise<Store> {
  try {
    for (const sub of ["blobs/sha256", "actions", "refs", "boxes", "tmp", "cache"]) {
      await mkdir(join(dir, sub), { recursive: true });
    }
  } catch (error) {
    throw describeWriteError(error, dir);
  }
  return { dir };
}

export function blobPath(store: Store, digest: Sha256): string {
  return join(store.dir, "blobs", "sha256", digest.slice(0, 2), digest.slice(2));
}

/** Whether the blob is there and unharmed (see `checkBlob`). */
export async function hasBlob(store: Store, digest: Sha256): Promise<boolean> {
  try {
    await checkBlob(store, digest);
    return true;
  } catch (error) {
    if (error instanceof FactoryError && (error.code === "STORE_MISSING" || error.code === "STORE_CORRUPT"))
      return false;
    throw error;
  }
}

/**
 * Makes sure that a blob is present, has `size` bytes when given, and still holds the bytes of its name. The content is
 * hashed only when the file's modification time shows that it was written since it was last verified, so that the
 * check costs one stat(2) for a blob that nobody touched; `store verify` hashes always.
 * Throws STORE_MISSING, STORE_CORRUPT.
 */
export async function checkBlob(store: Store, digest: Sha256, size?: number): Promise<void> {
  const path = blobPath(store, digest);
  const found = await stat(path).catch((error: unknown) => {
    throw unreadable(path, digest, error);
  });
  if (size !== undefined && found.size !== size) throw corrupt(path, `${found.size} bytes`, `${size} bytes`);
  if (found.mtimeMs === VERIFIED_MTIME * 1000) return;
  await verifyBlob(store, digest);
}

/** Hashes the blob in full. Throws STORE_MISSING, and STORE_CORRUPT when its bytes are not those of its name. */
export async function verifyBlob(store: Store, digest: Sha256): Promise<void> {
  const path = blobPath(store, digest);
  const actual = await hashFile(path).catch((error: unknown) => {
    throw unreadable(path, digest, error);
  });
  if (actual !== digest) throw corrupt(path, `SHA-256 ${actual}`, `SHA-256 ${digest}`);
  await setTime(path, VERIFIED_MTIME);
}

/** A store of somebody else stays as it is, and its blob is hashed again the next time. */
async function setTime(path: string, seconds: number): Promise<void> {
  await utimes(path, seconds, seconds).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EPERM" && error.code !== "EACCES" && error.code !== "EROFS") throw error;
  });
}

export async function hashFile(path: string): Promise<Sha256> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) hash.update(chunk as Buffer);
  return hash.digest("hex") as Sha256;
}

/** Bytes [offset, offset + length) of a blob. Throws STORE_MISSING, or STORE_CORRUPT when the blob is shorter. */
export async function* readBlob(
  store: Store,
  digest: Sha256,
  offset: number,
  length: number,
): AsyncIterable<Uint8Array> {
  if (length === 0) return;
  const path = blobPath(store, digest);
  let left = length;
  const stream = createReadStream(path, { start: offset, end: offset + length - 1, highWaterMark: CHUNK_BYTES });
  try {
    for await (const chunk of stream) {
      left -= (chunk as Buffer).length;
      yield chunk as Buffer;
    }
  } catch (error) {
    throw unreadable(path, digest, error);
  }
  if (left !== 0) throw corrupt(path, `${offset + length - left} bytes`, `at least ${offset + length} bytes`);
}

/** A whole small blob, verified as by `checkBlob`. Refuses more than `maxBytes` (default 16 MiB). */
export async function readWholeBlob(
  store: Store,
  digest: Sha256,
  maxBytes: number = 16 * 1024 * 1024,
): Promise<Uint8Array> {
  await checkBlob(store, digest);
  const path = blobPath(store, digest);
  const { size } = await stat(path);
  if (size > maxBytes) throw corrupt(path, `${size} bytes`, `at most ${maxBytes} bytes`);
  return readFile(path);
}

export async function putBytes(store: Store, bytes: Uint8Array | string): Promise<BlobRef> {
  return putStream(store, [typeof bytes === "string" ? Buffer.from(bytes) : bytes]);
}

export async function putFile(store: Store, path: string): Promise<BlobRef> {
  return putStream(store, createReadStream(path, { highWaterMark: CHUNK_BYTES }));
}

export interface PutOptions {
  /** Called with the number of bytes so far. */
  readonly onBytes?: (total: number) => void;
  /** Called before the blob gets its name; may throw to refuse it. */
  readonly check?: (blob: BlobRef) => void;
}

type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Stores a stream and returns its name and size. Throws DISK_FULL, OUTPUT_UNWRITABLE, and what the stream throws. */
export async function putStream(store: Store, chunks: Chunks, options: PutOptions = {}): Promise<BlobRef> {
  const partial = await temporaryPath(store);
  try {
    const blob = await fill(partial, chunks, options);
    options.check?.(blob);
    await chmod(partial, 0o444);
    await utimes(partial, VERIFIED_MTIME, VERIFIED_MTIME);
    const path = blobPath(store, blob.digest);
    await mkdir(dirname(path), { recursive: true });
    await rename(partial, path);
    return blob;
  } catch (error) {
    await rm(partial, { force: true });
    throw describeWriteError(error, partial);
  }
}

async function fill(partial: string, chunks: Chunks, { onBytes }: PutOptions): Promise<BlobRef> {
  const hash = createHash("sha256");
  let size = 0;
  const file: FileHandle = await open(partial, "wx", 0o600);
  try {
    for await (const chunk of chunks) {
      size += chunk.length;
      hash.update(chunk);
      await file.writeFile(chunk);
      onBytes?.(size);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return { digest: hash.digest("hex") as Sha256, size };
}

/** A fresh path in tmp/ whose name carries our process id, so that `gc` can tell live ones from left-overs. */
export async function temporaryPath(store: Store): Promise<string> {
  const dir = join(store.dir, "tmp");
  await mkdir(dir, { recursive: true });
  return join(dir, `${process.pid}-${randomBytes(8).toString("hex")}`);
}

/** Points `refs/<name>` at a digest, atomically. */
export async function writeRef(store: Store, name: string, digest: Sha256): Promise<void> {
  await writeAtomically(store, join(store.dir, "refs", name), `${digest}\n`);
}

export async function readRef(store: Store, name: string): Promise<Sha256 | undefined> {
  const text = await readTextIfPresent(join(store.dir, "refs", name));
  const digest = text?.trim();
  return digest !== undefined && isSha256(digest) ? digest : undefined;
}

/** Writes a small file under a temporary name and renames it into place. */
export async function writeAtomically(store: Store, path: string, text: string): Promise<void> {
  const partial = await temporaryPath(store);
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(partial, text, { flag: "wx", flush: true });
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw describeWriteError(error, path);
  }
}

/** Marks a file as used just now. */
export async function touch(path: string): Promise<void> {
  await setTime(path, now() / 1000);
}

export async function readTextIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** STORE_MISSING for a blob that is not there, STORE_CORRUPT for one that the disk or its permissions do not give. */
function unreadable(path: string, digest: Sha256, cause: unknown): FactoryError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? String(cause);
  if (code !== "ENOENT") return corrupt(path, code, "a readable file", cause);
  return new FactoryError({
    code: "STORE_MISSING",
    file: path,
    field: "blob",
    found: digest,
    expected: "the blob in the store",
    fix: "run `dodeka release build` to make it again",
    cause,
  });
}

function corrupt(path: string, found: string, expected: string, cause?: unknown): FactoryError {
  return new FactoryError({
    code: "STORE_CORRUPT",
    file: path,
    field: "blob",
    found,
    expected,
    fix: "run `dodeka store verify --repair`, then `dodeka release build`",
    cause,
  });
}
