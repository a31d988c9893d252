// SPDX-License-Identifier: Apache-2.0
// Finds where two images differ, chunk by chunk: memory does not depend on their size.
import { readRange } from "../layout/read-at.ts";
import type { ByteRange, ReadableImage } from "../layout/read-at.ts";
import { CHUNK_BYTES } from "./sub-image.ts";

/** Differences closer than this count as one region. */
const JOIN_BYTES = 512;

export interface DifferingBytes {
  /** In order. The last one reaches to the end of the longer image when lengths differ. */
  readonly regions: readonly ByteRange[];
  /** True when there were more than asked for: the rest was not looked at. */
  readonly more: boolean;
}

/** The first differing byte; undefined for equal images. */
export async function firstDifference(a: ReadableImage, b: ReadableImage): Promise<number | undefined> {
  return (await differingBytes(a, b, 1)).regions[0]?.offset;
}

/** Up to `limit` regions in which the images differ. */
export async function differingBytes(a: ReadableImage, b: ReadableImage, limit: number): Promise<DifferingBytes> {
  const regions: ByteRange[] = [];
  const common = Math.min(a.length, b.length);
  for (let at = 0; at < common; at += CHUNK_BYTES) {
    const length = Math.min(CHUNK_BYTES, common - at);
    const [x, y] = await Promise.all([readRange(a, "content", at, length), readRange(b, "content", at, length)]);
    if (Buffer.compare(x, y) === 0) continue;
    if (!addRegions(regions, at, [x, y], limit)) return { regions, more: true };
  }
  if (a.length !== b.length) append(regions, common, Math.max(a.length, b.length) - common);
  return regions.length > limit ? { regions: regions.slice(0, limit), more: true } : { regions, more: false };
}

/** False when `limit` is reached with a byte to spare. */
function addRegions(
  regions: ByteRange[],
  base: number,
  [x, y]: readonly [Uint8Array, Uint8Array],
  limit: number,
): boolean {
  for (let i = 0; i < x.length; i++) {
    if (x[i] === y[i]) continue;
    append(regions, base + i, 1);
    if (regions.length <= limit) continue;
    regions.length = limit;
    return false;
  }
  return true;
}

function append(regions: ByteRange[], offset: number, length: number): void {
  const last = regions.at(-1);
  if (last !== undefined && offset - (last.offset + last.length) < JOIN_BYTES) {
    regions[regions.length - 1] = { offset: last.offset, length: offset + length - last.offset };
  } else regions.push({ offset, length });
}
