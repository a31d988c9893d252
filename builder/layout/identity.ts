// SPDX-License-Identifier: Apache-2.0
// Identifiers from digests: every UUID and volume id in an image is a function of its plan, so two builds agree and
// two different images differ. Spec: RFC 9562, section 5.8 (UUID version 8).
import { createHash } from "node:crypto";
import { bug } from "../errors.ts";
import { isSha256 } from "./digest.ts";
import type { Sha256 } from "./digest.ts";
import { viewOf } from "./bytes.ts";

/**
 * A UUID, lower-case, for one purpose ("gpt disk", "partition EFI"): the first 16 bytes of
 * SHA-256(seed bytes, ":", purpose) with the version (8) and variant bits of RFC 9562 set.
 */
export function deriveUuid(seed: Sha256, purpose: string): string {
  const bytes = derive(seed, purpose).subarray(0, 16);
  const view = viewOf(bytes);
  view.setUint8(6, (view.getUint8(6) & 0x0f) | 0x80); // version 8, high half of byte 6
  view.setUint8(8, (view.getUint8(8) & 0x3f) | 0x80); // variant 0b10, top of byte 8
  return Buffer.from(bytes)
    .toString("hex")
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** A volume id of 32 bits (FAT, MBR disk signature). Never 0, which readers take for "has none". */
export function deriveVolumeId(seed: Sha256, purpose: string): number {
  const view = viewOf(derive(seed, purpose));
  for (let at = 0; at < 32; at += 4) {
    const id = view.getUint32(at, false);
    if (id !== 0) return id;
  }
  throw bug("a SHA-256 of zeros only");
}

function derive(seed: Sha256, purpose: string): Uint8Array {
  if (!isSha256(seed) || purpose === "") throw bug(`identity from ${JSON.stringify([seed, purpose])}`);
  return createHash("sha256").update(Buffer.from(seed, "hex")).update(`:${purpose}`).digest();
}
