// SPDX-License-Identifier: Apache-2.0
// Encodes the path table of an ISO 9660 volume: every directory with its parent, once in each byte order.
// Spec: ECMA-119 6.9 and 9.4. Limit: 65535 directories.
import { putFields } from "./bytes.ts";
import { roundUp } from "./extent.ts";
import type { IsoDirectory } from "./iso9660-tree.ts";

const HEADER_BYTES = 8;

/** Bytes of one table, before it is padded to blocks. */
export function pathTableBytes(directories: readonly IsoDirectory[]): number {
  return directories.reduce((sum, d) => sum + entryBytes(d.identifier), 0);
}

/** The table in one byte order. `blocks` has the block of each directory, in the same order. */
export function encodePathTable(
  directories: readonly IsoDirectory[],
  blocks: readonly number[],
  order: "le" | "be",
): Uint8Array {
  const out = new Uint8Array(pathTableBytes(directories));
  let at = 0;
  for (const [i, { identifier, parent }] of directories.entries()) {
    putFields(out.subarray(at), "ISO 9660 path table", [
      ["identifier length", 0, "u8", identifier.length], //    0
      ["extended attribute blocks", 1, "u8", 0], //            1
      ["block", 2, `u32${order}`, blocks[i] ?? 0], //          2..5
      ["parent", 6, `u16${order}`, parent + 1], //             6..7  counted from 1
    ]);
    out.set(Buffer.from(identifier, "latin1"), at + HEADER_BYTES);
    at += entryBytes(identifier);
  }
  return out;
}

function entryBytes(identifier: string): number {
  return roundUp(HEADER_BYTES + identifier.length, 2);
}
