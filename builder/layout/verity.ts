// SPDX-License-Identifier: Apache-2.0
// Builds a dm-verity hash area, version 1, SHA-256, blocks of 4096 bytes: superblock, then the hash tree, root level first.
// Spec: Linux Documentation/admin-guide/device-mapper/verity.rst; cryptsetup lib/verity/verity.c, "struct verity_sb".
// Left out: other hashes and block sizes, forward error correction. Limit: memory for the tree, 1/128 of the data.
import { hash } from "node:crypto";
import { FactoryError } from "../errors.ts";
import { asciiBytes, putFields, uuidBytes } from "./bytes.ts";
import { parseSha256 } from "./digest.ts";
import type { Sha256 } from "./digest.ts";
import { roundUp } from "./extent.ts";

export const VERITY_BLOCK_BYTES = 4096;

const DIGEST_BYTES = 32;
const SALT_BYTES = 256; // room in the superblock
const SECTOR_BYTES = 512; // device-mapper counts in these

export interface VerityOptions {
  /** Up to 256 bytes; may be empty. */
  readonly salt: Uint8Array;
  /** Lower-case, from the plan; veritysetup would draw a random one. */
  readonly uuid: string;
}

export interface Verity {
  readonly rootHash: Sha256;
  readonly dataBlocks: number;
  /** Blocks of the tree alone; 0 when the data is one block, whose hash is the root. */
  readonly hashBlocks: number;
  /** Superblock (one block) and tree, to be placed right behind the data padded to 4096 bytes. */
  readonly hashArea: Uint8Array;
}

/**
 * Hashes `data`, in chunks of any size, without keeping it; the last block counts as padded with zeros. Throws
 * LAYOUT_INVALID for no data at all or a salt over 256 bytes.
 */
export async function buildVerity(data: AsyncIterable<Uint8Array>, options: VerityOptions): Promise<Verity> {
  if (options.salt.length > SALT_BYTES) throw refuse("salt", options.salt.length, `at most ${SALT_BYTES} bytes`);
  const hashBlock = blockHasher(options.salt);
  const leaves = growingBytes();
  for await (const block of inBlocks(data)) leaves.append(hashBlock(block));
  const dataBlocks = leaves.length() / DIGEST_BYTES;
  if (dataBlocks === 0) throw refuse("data", 0, "1 byte or more");
  const { root, levels } = buildTree(leaves.take(), hashBlock);
  const superblock = encodeSuperblock(dataBlocks, options);
  return {
    rootHash: parseSha256(Buffer.from(root).toString("hex"), "verity root hash"),
    dataBlocks,
    hashBlocks: levels.reduce((sum, level) => sum + level.length / VERITY_BLOCK_BYTES, 0),
    hashArea: Buffer.concat([superblock, ...levels]),
  };
}

/** The device-mapper table line for an image file that holds data and hash area, opened as `device`. */
export function verityTable(device: string, { rootHash, dataBlocks }: Verity, salt: Uint8Array): string {
  const sectors = (dataBlocks * VERITY_BLOCK_BYTES) / SECTOR_BYTES;
  const salted = salt.length === 0 ? "-" : Buffer.from(salt).toString("hex");
  const sizes = `${VERITY_BLOCK_BYTES} ${VERITY_BLOCK_BYTES} ${dataBlocks} ${dataBlocks + 1}`; // the tree follows the superblock
  return `0 ${sectors} verity 1 ${device} ${device} ${sizes} sha256 ${rootHash} ${salted}`;
}

/** Hashes upwards until one digest is left; returns that and the levels, root level first, each padded to blocks. */
function buildTree(
  leaves: Uint8Array,
  hashBlock: (block: Uint8Array) => Uint8Array,
): { root: Uint8Array; levels: Uint8Array[] } {
  const levels: Uint8Array[] = [];
  let digests = leaves;
  while (digests.length > DIGEST_BYTES) {
    const level = new Uint8Array(roundUp(digests.length, VERITY_BLOCK_BYTES));
    level.set(digests);
    levels.unshift(level);
    const above = new Uint8Array((level.length / VERITY_BLOCK_BYTES) * DIGEST_BYTES);
    for (let at = 0; at < level.length; at += VERITY_BLOCK_BYTES) {
      above.set(hashBlock(level.subarray(at, at + VERITY_BLOCK_BYTES)), (at / VERITY_BLOCK_BYTES) * DIGEST_BYTES);
    }
    digests = above;
  }
  return { root: digests, levels };
}

/** SHA-256(salt, block). One-shot hashing is twice as fast as a hash object at this size. */
function blockHasher(salt: Uint8Array): (block: Uint8Array) => Uint8Array {
  if (salt.length === 0) return (block) => hash("sha256", block, "buffer");
  const salted = new Uint8Array(salt.length + VERITY_BLOCK_BYTES);
  salted.set(salt);
  return (block) => {
    salted.set(block, salt.length);
    return hash("sha256", salted, "buffer");
  };
}

/** Cuts chunks into blocks; copies only the blocks that span chunks, and pads the last. */
async function* inBlocks(data: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const partial = new Uint8Array(VERITY_BLOCK_BYTES);
  let filled = 0;
  for await (const chunk of data) {
    let at = 0;
    while (at < chunk.length) {
      if (filled === 0 && chunk.length - at >= VERITY_BLOCK_BYTES) {
        yield chunk.subarray(at, at + VERITY_BLOCK_BYTES);
        at += VERITY_BLOCK_BYTES;
        continue;
      }
      const piece = chunk.subarray(at, at + VERITY_BLOCK_BYTES - filled);
      partial.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      if (filled === VERITY_BLOCK_BYTES) {
        yield partial;
        filled = 0;
      }
    }
  }
  if (filled > 0) yield partial.fill(0, filled);
}

function encodeSuperblock(dataBlocks: number, { salt, uuid }: VerityOptions): Uint8Array {
  const block = new Uint8Array(VERITY_BLOCK_BYTES);
  block.set(asciiBytes("verity"), 0); //                 0..7, two NULs at its end
  block.set(uuidBytes(uuid), 16); //                    16..31
  block.set(asciiBytes("sha256"), 32); //               32..63, NUL-padded
  block.set(salt, 88); //                               88..343
  putFields(block, "verity superblock", [
    ["version", 8, "u32le", 1],
    ["hashType", 12, "u32le", 1], //                    1: salt before the data
    ["dataBlockSize", 64, "u32le", VERITY_BLOCK_BYTES],
    ["hashBlockSize", 68, "u32le", VERITY_BLOCK_BYTES],
    ["dataBlocks", 72, "u64le", dataBlocks],
    ["saltSize", 80, "u16le", salt.length], //          bytes
  ]);
  return block;
}

interface GrowingBytes {
  append(bytes: Uint8Array): void;
  length(): number;
  take(): Uint8Array;
}

function growingBytes(): GrowingBytes {
  let buffer = new Uint8Array(1 << 16);
  let used = 0;
  return {
    append(bytes) {
      if (used + bytes.length > buffer.length) {
        const larger = new Uint8Array(buffer.length * 2);
        larger.set(buffer);
        buffer = larger;
      }
      buffer.set(bytes, used);
      used += bytes.length;
    },
    length: () => used,
    take: () => buffer.subarray(0, used),
  };
}

function refuse(field: string, found: number, expected: string): FactoryError {
  const fix = "correct the root image";
  return new FactoryError({ code: "LAYOUT_INVALID", field: `verity ${field}`, found, expected, fix });
}
