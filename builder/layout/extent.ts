// SPDX-License-Identifier: Apache-2.0
// A layout is an image that was described and not copied: extents that cover [0, length) in order, without gap or
// overlap. Each extent is a slice of a stored blob, literal bytes, or zeros. Every writer in this folder returns one,
// and builder/encode turns one into a file, a stream or a byte range.
import { FactoryError } from "../errors.ts";
import type { BlobRef, Sha256 } from "./digest.ts";

export type Source =
  | { readonly kind: "blob"; readonly digest: Sha256; readonly offset: number }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "zeros" };

/** `offset` and `length` in bytes; `length` > 0; for literal bytes `length` equals `bytes.length`. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
  readonly source: Source;
}

/** `length` in bytes. Extents are sorted, touch each other, and end at `length`. An empty layout has none. */
export interface Layout {
  readonly length: number;
  readonly extents: readonly Extent[];
}

/** Something at a byte offset of a larger layout; `what` names it in errors. */
export interface Placement {
  readonly what: string;
  readonly offset: number;
  readonly layout: Layout;
}

export const EMPTY: Layout = { length: 0, extents: [] };

/** The whole blob. */
export function blobLayout(blob: BlobRef): Layout {
  if (blob.size === 0) return EMPTY;
  const source: Source = { kind: "blob", digest: blob.digest, offset: 0 };
  return { length: blob.size, extents: [{ offset: 0, length: blob.size, source }] };
}

/** Literal bytes. They are not copied: do not change them afterwards. */
export function bytesLayout(bytes: Uint8Array): Layout {
  if (bytes.length === 0) return EMPTY;
  return { length: bytes.length, extents: [{ offset: 0, length: bytes.length, source: { kind: "bytes", bytes } }] };
}

export function zerosLayout(length: number): Layout {
  if (length === 0) return EMPTY;
  return { length, extents: [{ offset: 0, length, source: { kind: "zeros" } }] };
}

/** One after another, without padding. */
export function concatLayouts(layouts: readonly Layout[]): Layout {
  const out: Extent[] = [];
  let at = 0;
  for (const layout of layouts) {
    for (const extent of layout.extents) append(out, { ...extent, offset: at + extent.offset });
    at += layout.length;
  }
  return { length: at, extents: out };
}

/** Appends zeros up to a multiple of `alignment` bytes. */
export function padLayout(layout: Layout, alignment: number): Layout {
  return concatLayouts([layout, zerosLayout(roundUp(layout.length, alignment) - layout.length)]);
}

/**
 * A layout of `length` bytes with each placement at its offset and zeros everywhere else. Placements may come in
 * any order. Throws LAYOUT_OVERFLOW when one ends past `length`, LAYOUT_INVALID when two overlap.
 */
export function placeLayouts(length: number, placements: readonly Placement[]): Layout {
  const sorted = placements.filter((p) => p.layout.length > 0).sort((a, b) => a.offset - b.offset);
  const parts: Layout[] = [];
  let at = 0;
  let before = "the start";
  for (const { what, offset, layout } of sorted) {
    if (offset < at) throw overlap(what, before, offset);
    if (offset + layout.length > length) throw overrun(what, offset + layout.length, length);
    parts.push(zerosLayout(offset - at), layout);
    at = offset + layout.length;
    before = what;
  }
  parts.push(zerosLayout(length - at));
  return concatLayouts(parts);
}

/** Bytes [start, end) as a layout of their own. Throws BUG-like LAYOUT_OVERFLOW when the range leaves the layout. */
export function sliceLayout(layout: Layout, start: number, end: number): Layout {
  if (start < 0 || end < start || end > layout.length) throw overrun("slice", end, layout.length);
  const out: Extent[] = [];
  for (let i = firstExtentAt(layout, start); i < layout.extents.length; i++) {
    const extent = layout.extents[i];
    if (extent === undefined || extent.offset >= end) break;
    const from = Math.max(start, extent.offset);
    const to = Math.min(end, extent.offset + extent.length);
    if (to > from) out.push(cut(extent, from, to, start));
  }
  return { length: end - start, extents: out };
}

/** Smallest multiple of `alignment` that is at least `value`. */
export function roundUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

/** Index of the extent that holds byte `position` (binary search); `extents.length` when there is none. */
function firstExtentAt(layout: Layout, position: number): number {
  let low = 0;
  let high = layout.extents.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const extent = layout.extents[middle];
    if (extent !== undefined && extent.offset + extent.length <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}

function cut(extent: Extent, from: number, to: number, base: number): Extent {
  const skip = from - extent.offset;
  const length = to - from;
  return { offset: from - base, length, source: cutSource(extent.source, skip, length) };
}

function cutSource(source: Source, skip: number, length: number): Source {
  switch (source.kind) {
    case "zeros":
      return source;
    case "bytes":
      return { kind: "bytes", bytes: source.bytes.subarray(skip, skip + length) };
    case "blob":
      return { kind: "blob", digest: source.digest, offset: source.offset + skip };
    default:
      return source satisfies never;
  }
}

/** Appends an extent, merging neighbouring zeros and neighbouring slices of one blob. */
function append(out: Extent[], extent: Extent): void {
  const last = out.at(-1);
  if (last !== undefined && continues(last, extent)) {
    out[out.length - 1] = { ...last, length: last.length + extent.length };
  } else out.push(extent);
}

function continues(last: Extent, next: Extent): boolean {
  if (last.source.kind === "zeros") return next.source.kind === "zeros";
  if (last.source.kind !== "blob" || next.source.kind !== "blob") return false;
  return last.source.digest === next.source.digest && last.source.offset + last.length === next.source.offset;
}

function overlap(what: string, before: string, offset: number): FactoryError {
  return new FactoryError({
    code: "LAYOUT_INVALID",
    field: what,
    found: offset,
    expected: `an offset at or after the end of ${before}`,
    fix: "move one of them",
  });
}

function overrun(what: string, end: number, length: number): FactoryError {
  return new FactoryError({
    code: "LAYOUT_OVERFLOW",
    field: what,
    found: end,
    expected: `an end within ${length} bytes`,
    fix: "make the container larger or the content smaller",
  });
}
