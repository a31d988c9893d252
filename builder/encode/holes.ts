// SPDX-License-Identifier: Apache-2.0
// Which zeros of a layout a sparse file leaves out.
import type { Extent, Layout } from "../layout/extent.ts";

const SMALLEST_HOLE_BYTES = 32768; // below a few blocks a hole saves nothing and costs a system call

/** True for an extent that a sparse file leaves out. */
export function isHole(extent: Extent): boolean {
  return extent.source.kind === "zeros" && extent.length >= SMALLEST_HOLE_BYTES;
}

/** Bytes that a sparse file of this layout holds. */
export function dataLength(layout: Layout): number {
  return layout.extents.reduce((sum, extent) => (isHole(extent) ? sum : sum + extent.length), 0);
}
