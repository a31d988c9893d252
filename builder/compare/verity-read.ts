// SPDX-License-Identifier: Apache-2.0
// Decodes a dm-verity superblock. Spec: cryptsetup lib/verity/verity.c, "struct verity_sb".
import { viewOf } from "../layout/bytes.ts";
import { malformed, readRange } from "../layout/read-at.ts";
import type { ReadableImage } from "../layout/read-at.ts";
import { VERITY_BLOCK_BYTES } from "../layout/verity.ts";
import type { FieldTable } from "./space.ts";

/** Fields by name, offset and length in bytes. */
export const VERITY_FIELDS: FieldTable = [
  ["signature", 0, 8],
  ["version", 8, 4],
  ["hash type", 12, 4],
  ["UUID", 16, 16],
  ["algorithm", 32, 32],
  ["data block size", 64, 4],
  ["hash block size", 68, 4],
  ["data blocks", 72, 8],
  ["salt size", 80, 2],
  ["salt", 88, 256],
];

export interface VerityFound {
  readonly uuid: string;
  readonly algorithm: string;
  readonly dataBlocks: number;
  readonly salt: string;
}

/** The superblock at `offset`. Throws FORMAT_INVALID for anything that this factory would not write. */
export async function readVerity(image: ReadableImage, offset: number): Promise<VerityFound> {
  const block = Buffer.from(await readRange(image, "verity superblock", offset, VERITY_BLOCK_BYTES));
  const view = viewOf(block);
  const signature = block.toString("latin1", 0, 6);
  if (signature !== "verity") throw malformed(image.name, "verity signature", signature, '"verity"');
  const sizes = [view.getUint32(64, true), view.getUint32(68, true)];
  if (sizes.some((size) => size !== VERITY_BLOCK_BYTES)) {
    throw malformed(image.name, "verity block sizes", sizes, `${VERITY_BLOCK_BYTES}`);
  }
  const dataBlocks = view.getBigUint64(72, true);
  if (dataBlocks * BigInt(VERITY_BLOCK_BYTES) !== BigInt(offset)) {
    throw malformed(
      image.name,
      "verity data blocks",
      dataBlocks,
      `${offset / VERITY_BLOCK_BYTES}, up to the superblock`,
    );
  }
  const saltBytes = view.getUint16(80, true);
  if (saltBytes > 256) throw malformed(image.name, "verity salt size", saltBytes, "at most 256");
  const hex = block.toString("hex", 16, 32);
  return {
    uuid: [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-"),
    algorithm: block.toString("latin1", 32, 64).replace(/\0.*$/, ""),
    dataBlocks: Number(dataBlocks),
    salt: block.toString("hex", 88, 88 + saltBytes),
  };
}
