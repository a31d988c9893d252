// SPDX-License-Identifier: Apache-2.0
// Test support: a layout of literal bytes and zeros as an image to read from, and as a sparse file.
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import type { Layout } from "../../builder/layout/extent.ts";
import { sliceLayout } from "../../builder/layout/extent.ts";
import type { ReadableImage } from "../../builder/layout/read-at.ts";

/** Bytes [offset, offset + length) of the layout. */
export function layoutBytes(layout: Layout, offset = 0, length: number = layout.length - offset): Uint8Array {
  const out = new Uint8Array(length);
  for (const extent of sliceLayout(layout, offset, offset + length).extents) {
    if (extent.source.kind === "bytes") out.set(extent.source.bytes, extent.offset);
    else if (extent.source.kind === "blob") throw new Error("tests use literal bytes");
  }
  return out;
}

export function layoutImage(layout: Layout): ReadableImage {
  return { name: "test", length: layout.length, read: async (at, length) => layoutBytes(layout, at, length) };
}

/** The layout with some bytes replaced, as damage or an attack would. */
export function damagedImage(
  layout: Layout,
  patches: readonly (readonly [offset: number, bytes: Uint8Array])[],
): ReadableImage {
  const read = async (at: number, length: number): Promise<Uint8Array> => {
    const out = layoutBytes(layout, at, length);
    for (const [offset, bytes] of patches) {
      for (const [i, byte] of bytes.entries()) {
        const index = offset + i - at;
        if (index >= 0 && index < length) out[index] = byte;
      }
    }
    return out;
  };
  return { name: "test", length: layout.length, read };
}

/** Writes the layout; zeros become holes. */
export function writeLayout(path: string, layout: Layout): void {
  const file = openSync(path, "w");
  try {
    ftruncateSync(file, layout.length);
    for (const { offset, source } of layout.extents) {
      if (source.kind === "bytes") writeSync(file, source.bytes, 0, source.bytes.length, offset);
      else if (source.kind === "blob") throw new Error("tests use literal bytes");
    }
  } finally {
    closeSync(file);
  }
}

/** Bytes that differ from place to place and from seed to seed. */
export function patternBytes(length: number, seed: number): Uint8Array {
  const out = new Uint8Array(length);
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    out[i] = state >>> 24;
  }
  return out;
}
