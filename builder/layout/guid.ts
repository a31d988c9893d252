// SPDX-License-Identifier: Apache-2.0
// GUIDs as EFI stores them: the first three fields of the text little-endian, the last two as written.
// Spec: UEFI 2.10, appendix A.
import { uuidBytes, viewOf } from "./bytes.ts";

export const GUID_BYTES = 16;

/** Writes a lower-case UUID text as 16 bytes at `offset`. Throws LAYOUT_INVALID when the text is no UUID. */
export function putGuid(record: Uint8Array, offset: number, guid: string): void {
  record.set(swapGuid(uuidBytes(guid)), offset);
}

/** The text of the 16 bytes at `offset`, lower-case. */
export function readGuid(record: Uint8Array, offset: number): string {
  const hex = Buffer.from(swapGuid(record.subarray(offset, offset + GUID_BYTES))).toString("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Text order to stored order and back: swapping twice restores it. */
function swapGuid(bytes: Uint8Array): Uint8Array {
  const from = viewOf(bytes);
  const swapped = Uint8Array.from(bytes);
  const to = viewOf(swapped);
  to.setUint32(0, from.getUint32(0, false), true);
  to.setUint16(4, from.getUint16(4, false), true);
  to.setUint16(6, from.getUint16(6, false), true);
  return swapped;
}
