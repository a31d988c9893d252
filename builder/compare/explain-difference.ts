// SPDX-License-Identifier: Apache-2.0
// Explains in which field two artifacts first differ, and which parts of them differ at all. Where compressed data
// differs, both sides are unpacked and their contents compared, so that the name is of the content and not its packing.
import type { ReadableImage } from "../layout/read-at.ts";
import { differingBytes, firstDifference } from "./differing-bytes.ts";
import { findPiece, locateIn, locateInPiece } from "./locate.ts";
import type { Held } from "./locate.ts";
import { isMalformed } from "./malformed.ts";
import { openSpace } from "./open-space.ts";
import type { Space } from "./space.ts";

export interface Difference {
  /** First differing byte of the files. */
  readonly offset: number;
  /** From the outside in. */
  readonly path: readonly string[];
  /** Parts that hold differing bytes, outermost names first, with how many regions of bytes. */
  readonly parts: readonly { readonly path: readonly string[]; readonly regions: number }[];
  /** True when the files have more differing regions than were looked at. */
  readonly more: boolean;
}

const MAX_REGIONS = 256;
const PART_LEVELS = 4;

/** Undefined for equal artifacts. The structure is taken from `a` first: give the intact one there. */
export async function explainDifference(a: ReadableImage, b: ReadableImage): Promise<Difference | undefined> {
  const { regions, more } = await differingBytes(a, b, MAX_REGIONS);
  const first = regions[0];
  if (first === undefined) return undefined;
  const [left, right] = [await openSpace(a), await openSpace(b)];
  const path = await explain(left, right, first.offset);
  const parts = new Map<string, { path: readonly string[]; regions: number }>();
  for (const { offset } of regions) {
    const inside = (await locateIn(offset < a.length ? left : right, offset)).slice(0, -1).slice(0, PART_LEVELS);
    const part = inside.length === 0 ? ["the file"] : inside; // one without a structure that we know
    const key = part.join("\0");
    parts.set(key, { path: part, regions: (parts.get(key)?.regions ?? 0) + 1 });
  }
  return { offset: first.offset, path, parts: [...parts.values()], more };
}

/** Descends into both sides for as long as they agree on what lies at the offset. */
async function explain(a: Space, b: Space, offset: number): Promise<readonly string[]> {
  const held = findPiece(a, offset);
  const other = findPiece(b, offset);
  if (held === undefined) return other === undefined ? locateIn(a, offset) : locateIn(b, offset);
  if (other === undefined || other.piece.name !== held.piece.name) return locateIn(a, offset);
  const { name } = held.piece;
  if (held.piece.leaf === undefined && held.piece.inner !== undefined && other.piece.inner !== undefined) {
    if (other.offset !== held.offset) return locateIn(a, offset);
    const [inA, inB] = [await held.piece.inner(), await other.piece.inner()];
    return [name, ...(await explain(inA, inB, held.offset))];
  }
  if (held.piece.expand === undefined || other.piece.expand === undefined) return locateIn(a, offset);
  return [name, ...(await explainUnpacked(held, other))];
}

/** By content; by position where one side cannot be unpacked. */
async function explainUnpacked(a: Held, b: Held): Promise<readonly string[]> {
  try {
    const [left, right] = [await a.piece.expand?.(), await b.piece.expand?.()];
    if (left === undefined || right === undefined) return [`byte ${a.offset}`];
    const at = await firstDifference(left.space.image, right.space.image);
    if (at === undefined) return [`packed byte ${a.offset} (what it unpacks to is equal)`];
    return await explain(left.space, right.space, at);
  } catch (error) {
    if (!isMalformed(error)) throw error;
    return (await locateInPiece(a)).concat(`packed byte ${a.offset} (one side does not unpack)`);
  }
}
