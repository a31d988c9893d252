// SPDX-License-Identifier: Apache-2.0
// Reads squashfs metadata: tables stored as blocks of up to 8 KiB, each with a 16-bit length in front of it.
// Spec: Linux fs/squashfs/cache.c, "squashfs_read_metadata"; Documentation/filesystems/squashfs.rst, section 3.
// Hostile input: a table takes at most 64 MiB unpacked and must end exactly where the next one begins.
import { viewOf } from "../layout/bytes.ts";
import { malformed, readRange } from "../layout/read-at.ts";
import type { ReadableImage } from "../layout/read-at.ts";
import { inflateZstd } from "./bounded-zstd.ts";

export const METADATA_BYTES = 8192;

const STORED = 0x8000;
const MAX_TABLE_BYTES = 64 << 20;

/** A table, unpacked. */
export interface MetadataTable {
  readonly bytes: Uint8Array;
  /** Where each block starts, relative to the table, by its place in `bytes` divided by 8192. */
  readonly blockStarts: readonly number[];
  /** Byte in `bytes` of a reference: block start relative to the table, and offset within the block. */
  readonly position: (blockStart: number, offset: number) => number;
}

/** Unpacks the blocks from `start` to `end`. Throws FORMAT_INVALID. */
export async function readMetadata(
  image: ReadableImage,
  what: string,
  { start, end }: { readonly start: number; readonly end: number },
): Promise<MetadataTable> {
  const parts: Uint8Array[] = [];
  const blockStarts: number[] = [];
  const indexOf = new Map<number, number>();
  for (let at = start; at < end;) {
    const { bytes, next } = await readMetadataBlock(image, what, at);
    if (next < end && bytes.length !== METADATA_BYTES) {
      throw malformed(image.name, what, bytes.length, `${METADATA_BYTES} bytes in a block that is not the last`);
    }
    if (parts.length * METADATA_BYTES >= MAX_TABLE_BYTES) {
      throw malformed(image.name, what, parts.length, `at most ${MAX_TABLE_BYTES} bytes`);
    }
    indexOf.set(at - start, parts.length);
    blockStarts.push(at - start);
    parts.push(bytes);
    at = next;
    if (at > end) throw malformed(image.name, what, at, `an end at ${end}`);
  }
  const bytes = Buffer.concat(parts);
  const position = (blockStart: number, offset: number): number => {
    const index = indexOf.get(blockStart);
    if (index === undefined || offset >= METADATA_BYTES) {
      throw malformed(image.name, what, `${blockStart}+${offset}`, "a reference to one of its blocks");
    }
    return index * METADATA_BYTES + offset;
  };
  return { bytes, blockStarts, position };
}

export async function readMetadataBlock(
  image: ReadableImage,
  what: string,
  at: number,
): Promise<{ bytes: Uint8Array; next: number }> {
  const header = viewOf(await readRange(image, what, at, 2)).getUint16(0, true);
  const length = header & ~STORED;
  if (length === 0 || length > METADATA_BYTES) {
    throw malformed(image.name, `${what} block`, length, `1 to ${METADATA_BYTES} bytes`);
  }
  const raw = await readRange(image, what, at + 2, length);
  const bytes = (header & STORED) === 0 ? inflateZstd(raw, METADATA_BYTES, `${image.name} ${what}`) : raw;
  return { bytes, next: at + 2 + length };
}

/**
 * A table of fixed-size records behind an index of block addresses, as fragments and ids are stored. `firstBlock` is
 * where its blocks begin, which is where the table before it ends.
 */
export async function readIndexedTable(
  image: ReadableImage,
  what: string,
  { indexAt, bytes }: { readonly indexAt: number; readonly bytes: number },
): Promise<{ readonly bytes: Uint8Array; readonly firstBlock: number }> {
  if (bytes === 0 || bytes > MAX_TABLE_BYTES) throw malformed(image.name, what, bytes, `1 to ${MAX_TABLE_BYTES} bytes`);
  const blocks = Math.ceil(bytes / METADATA_BYTES);
  const index = viewOf(await readRange(image, `${what} index`, indexAt, blocks * 8));
  const parts: Uint8Array[] = [];
  for (let i = 0; i < blocks; i++) {
    const at = index.getBigUint64(i * 8, true);
    if (at >= BigInt(indexAt)) throw malformed(image.name, what, at, `a block before its index at ${indexAt}`);
    parts.push((await readMetadataBlock(image, what, Number(at))).bytes);
  }
  const all = Buffer.concat(parts);
  if (all.length !== bytes) throw malformed(image.name, what, all.length, `${bytes} bytes`);
  return { bytes: all, firstBlock: Number(index.getBigUint64(0, true)) };
}
