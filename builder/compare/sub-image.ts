// SPDX-License-Identifier: Apache-2.0
// An image within an image: the bytes of some runs, in order, as an image of their own; or bytes in memory as one.
import type { ByteRange, ReadableImage } from "../layout/read-at.ts";
import { readRange } from "../layout/read-at.ts";

/** Bytes in memory. They are not copied. */
export function bytesImage(name: string, bytes: Uint8Array): ReadableImage {
  return { name, length: bytes.length, read: async (at, length) => bytes.subarray(at, at + length) };
}

/** The bytes of `runs` of `image`, joined. */
export function subImage(image: ReadableImage, name: string, runs: readonly ByteRange[]): ReadableImage {
  const length = runs.reduce((sum, run) => sum + run.length, 0);
  const read = async (at: number, wanted: number): Promise<Uint8Array> => {
    const parts: Uint8Array[] = [];
    let start = 0; // of the run, in the joined bytes
    for (const run of runs) {
      const from = Math.max(at, start);
      const to = Math.min(at + wanted, start + run.length);
      if (to > from) parts.push(await readRange(image, name, run.offset + from - start, to - from));
      start += run.length;
    }
    return parts.length === 1 ? (parts[0] ?? new Uint8Array()) : Buffer.concat(parts);
  };
  return { name, length, read };
}

/** Where byte `offset` of the outer image is in the joined bytes of `runs`; undefined when it is in none. */
export function offsetInRuns(runs: readonly ByteRange[], offset: number): number | undefined {
  let start = 0;
  for (const run of runs) {
    if (offset >= run.offset && offset < run.offset + run.length) return start + offset - run.offset;
    start += run.length;
  }
  return undefined;
}

/** All bytes of an image in chunks of at most 1 MiB. */
export async function* imageChunks(image: ReadableImage): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < image.length; at += CHUNK_BYTES) {
    yield readRange(image, "content", at, Math.min(CHUNK_BYTES, image.length - at));
  }
}

export const CHUNK_BYTES: number = 1 << 20;
