// SPDX-License-Identifier: Apache-2.0
// Unpacks zstd data from images within a bound. A frame's length in its container is found by walking its block
// headers, since an initramfs is several archives behind each other. Spec: RFC 8878, sections 3.1.1 and 3.1.2.
// Left out: dictionaries, magicless and legacy frames.
import { constants, zstdDecompressSync } from "node:zlib";
import { viewOf } from "../layout/bytes.ts";
import { malformed, readRange } from "../layout/read-at.ts";
import type { ReadableImage } from "../layout/read-at.ts";

export const ZSTD_MAGIC = 0xfd2f_b528;

const LONGEST_HEADER_BYTES = 18; // magic 4, descriptor 1, window 1, dictionary 4, content size 8
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;
const MAX_BLOCKS = 1 << 20;

/** All of `bytes`, unpacked. Throws FORMAT_INVALID for damage or more than `maxBytes`. */
export function inflateZstd(bytes: Uint8Array, maxBytes: number, what: string): Uint8Array {
  try {
    return zstdDecompressSync(bytes, { maxOutputLength: maxBytes });
  } catch {
    throw malformed(what, "zstd data", `${bytes.length} bytes`, `a whole frame of at most ${maxBytes} unpacked bytes`);
  }
}

/** How many bytes the beginning of a frame unpacks to: where in the content a compressed byte takes effect. */
export function inflatedLengthOfPrefix(prefix: Uint8Array, maxBytes: number): number {
  try {
    return zstdDecompressSync(prefix, { maxOutputLength: maxBytes, finishFlush: constants.ZSTD_e_continue }).length;
  } catch {
    return 0;
  }
}

/** Bytes that the frame at `offset` of `image` takes. Throws FORMAT_INVALID. */
export async function zstdFrameBytes(image: ReadableImage, offset: number): Promise<number> {
  const header = await readRange(
    image,
    "zstd header",
    offset,
    Math.min(LONGEST_HEADER_BYTES, Math.max(0, image.length - offset)),
  );
  if (header.length < 6 || viewOf(header).getUint32(0, true) !== ZSTD_MAGIC) {
    throw malformed(image.name, "zstd magic", header.length, "a zstd frame");
  }
  const descriptor = header[4] ?? 0;
  let at = offset + headerBytes(descriptor);
  for (let blocks = 0; blocks < MAX_BLOCKS; blocks++) {
    const raw = await readRange(image, "zstd block header", at, 3);
    const value = (raw[0] ?? 0) | ((raw[1] ?? 0) << 8) | ((raw[2] ?? 0) << 16);
    const type = (value >> 1) & 3;
    if (type === RESERVED_BLOCK) throw malformed(image.name, "zstd block type", type, "0, 1 or 2");
    at += 3 + (type === RLE_BLOCK ? 1 : value >> 3);
    if ((value & 1) === 0) continue;
    at += (descriptor & 4) === 0 ? 0 : 4; // checksum
    if (at > image.length) throw malformed(image.name, "zstd frame end", at, `an end within ${image.length} bytes`);
    return at - offset;
  }
  throw malformed(image.name, "zstd blocks", MAX_BLOCKS, `fewer than ${MAX_BLOCKS}`);
}

function headerBytes(descriptor: number): number {
  const singleSegment = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const sizeFlag = descriptor >> 6;
  const contentSize = [singleSegment ? 1 : 0, 2, 4, 8][sizeFlag] ?? 0;
  return 5 + (singleSegment ? 0 : 1) + dictionary + contentSize;
}
