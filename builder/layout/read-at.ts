// SPDX-License-Identifier: Apache-2.0
// Random access to an image for the decoders of this folder: a length and a function that reads a range. The bytes
// may come from a file, a layout or a network, and they may be hostile: every read is checked against the length.
import { FactoryError } from "../errors.ts";

/** Bytes of an image that belong together. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Returns exactly `length` bytes from `offset`. Called only for ranges inside the image. */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array>;

/** An image of `length` bytes; `name` stands in errors. */
export interface ReadableImage {
  readonly name: string;
  readonly length: number;
  readonly read: ReadAt;
}

/** Reads a range. Throws FORMAT_INVALID, naming `what`, when it leaves the image or the source comes up short. */
export async function readRange(
  image: ReadableImage,
  what: string,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  if (!Number.isSafeInteger(offset) || offset < 0 || length < 0 || offset + length > image.length) {
    throw malformed(image.name, what, `bytes ${offset}..${offset + length}`, `a range within ${image.length} bytes`);
  }
  const bytes = await image.read(offset, length);
  if (bytes.length === length) return bytes;
  throw malformed(image.name, what, `${bytes.length} bytes`, `${length} bytes at offset ${offset}`);
}

/** A decoder's refusal. `found` is the offending value. */
export function malformed(file: string, field: string, found: unknown, expected: string): FactoryError {
  return new FactoryError({
    code: "FORMAT_INVALID",
    file,
    field,
    found,
    expected,
    fix: "use an image that is not damaged",
  });
}
