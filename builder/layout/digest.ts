// SPDX-License-Identifier: Apache-2.0
// SHA-256 names. A digest is 64 lower-case hexadecimal digits; the brand keeps other strings out.
import { hash } from "node:crypto";
import { FactoryError } from "../errors.ts";

export type Sha256 = string & { readonly __brand: "sha256" };

/** A blob: immutable bytes of a known length, in bytes, named by their SHA-256. */
export interface BlobRef {
  readonly digest: Sha256;
  readonly size: number;
}

export function sha256(bytes: Uint8Array | string): Sha256 {
  return hash("sha256", bytes) as Sha256;
}

export function isSha256(text: string): text is Sha256 {
  return /^[0-9a-f]{64}$/.test(text);
}

/** Narrows `text`. Throws FORMAT_INVALID; `field` names where it stood. */
export function parseSha256(text: string, field: string): Sha256 {
  if (isSha256(text)) return text;
  throw new FactoryError({
    code: "FORMAT_INVALID",
    field,
    found: text,
    expected: "64 lower-case hexadecimal digits (SHA-256)",
    fix: "correct the digest",
  });
}
