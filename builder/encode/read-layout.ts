// SPDX-License-Identifier: Apache-2.0
// Turns a layout, or any byte range of it, into bytes. Everything that leaves the factory comes through here: files,
// HTTP bodies and ranges, and the inputs of other encodings.
// Limit: a chunk is at most 1 MiB, so memory does not depend on the image's size.
import { FactoryError } from "../errors.ts";
import type { Sha256 } from "../layout/digest.ts";
import { sliceLayout } from "../layout/extent.ts";
import type { Extent, Layout } from "../layout/extent.ts";

export const CHUNK_BYTES: number = 1 << 20;

/** Where blobs come from; a store implements it. */
export interface BlobSource {
  /**
   * Exactly `length` bytes from `offset` of a blob, in chunks of any size. A chunk is the reader's from then on: the
   * source must not write to it again.
   */
  read(digest: Sha256, offset: number, length: number): AsyncIterable<Uint8Array>;
  /** A file that holds the blob and nothing else, checked to do so: writing files is then five times as fast. */
  path?(digest: Sha256): Promise<string | undefined>;
}

/** Bytes [start, end) of a layout; `end` is exclusive. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Shared by everyone who needs zeros. Never write to it. */
export const ZEROS: Uint8Array = new Uint8Array(CHUNK_BYTES);

/**
 * The bytes of `range`, or of all, in order, in chunks of 1 byte to 1 MiB that the reader must not change. Throws
 * LAYOUT_OVERFLOW when the range leaves the layout, STORE_CORRUPT when a blob has fewer or more bytes than the layout says.
 */
export async function* readLayout(
  layout: Layout,
  source: BlobSource,
  range: ByteRange = { start: 0, end: layout.length },
): AsyncGenerator<Uint8Array, void, undefined> {
  for (const extent of sliceLayout(layout, range.start, range.end).extents) yield* readExtent(extent, source);
}

/** The bytes of one extent, likewise. */
export async function* readExtent(extent: Extent, source: BlobSource): AsyncGenerator<Uint8Array, void, undefined> {
  switch (extent.source.kind) {
    case "zeros":
      yield* zeroChunks(extent.length);
      return;
    case "bytes":
      yield* split(extent.source.bytes);
      return;
    case "blob":
      yield* readBlob(extent.source, extent.length, source);
      return;
    default:
      extent.source satisfies never;
  }
}

/** The shared zeros, as often as needed. */
export function* zeroChunks(length: number): Generator<Uint8Array, void, undefined> {
  for (let left = length; left > 0; left -= CHUNK_BYTES) yield left < CHUNK_BYTES ? ZEROS.subarray(0, left) : ZEROS;
}

async function* readBlob(
  blob: { readonly digest: Sha256; readonly offset: number },
  length: number,
  source: BlobSource,
): AsyncGenerator<Uint8Array, void, undefined> {
  let read = 0;
  for await (const chunk of source.read(blob.digest, blob.offset, length)) {
    read += chunk.length;
    if (read > length) throw wrongLength(blob.digest, blob.offset + read, blob.offset + length);
    yield* split(chunk);
  }
  if (read < length) throw wrongLength(blob.digest, blob.offset + read, blob.offset + length);
}

function* split(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES);
}

function wrongLength(digest: Sha256, found: number, expected: number): FactoryError {
  return new FactoryError({
    code: "STORE_CORRUPT",
    field: `blob ${digest}`,
    found,
    expected: `bytes up to offset ${expected}`,
    fix: "remove the blob from the store and build the release again",
  });
}
