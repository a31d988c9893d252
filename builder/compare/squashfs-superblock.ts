// SPDX-License-Identifier: Apache-2.0
// Decodes the superblock of a squashfs 4.0 image. Spec: Linux fs/squashfs/squashfs_fs.h, "struct squashfs_super_block".
// Left out: compressors other than zstd, extended attributes.
import { viewOf } from "../layout/bytes.ts";
import { malformed, readRange } from "../layout/read-at.ts";
import type { ReadableImage } from "../layout/read-at.ts";
import type { FieldTable } from "./space.ts";

export const SQUASHFS_MAGIC = 0x7371_7368;
export const SUPERBLOCK_BYTES = 96;
export const NO_TABLE: bigint = 2n ** 64n - 1n;

/** Fields by name, offset and length in bytes. */
export const SUPERBLOCK_FIELDS: FieldTable = [
  ["magic", 0, 4],
  ["inode count", 4, 4],
  ["modification time", 8, 4],
  ["block size", 12, 4],
  ["fragment count", 16, 4],
  ["compressor", 20, 2],
  ["block log", 22, 2],
  ["flags", 24, 2],
  ["id count", 26, 2],
  ["major version", 28, 2],
  ["minor version", 30, 2],
  ["root inode", 32, 8],
  ["bytes used", 40, 8],
  ["id table", 48, 8],
  ["xattr table", 56, 8],
  ["inode table", 64, 8],
  ["directory table", 72, 8],
  ["fragment table", 80, 8],
  ["export table", 88, 8],
];

export interface SquashfsSuperblock {
  readonly inodeCount: number;
  readonly blockBytes: number;
  readonly fragmentCount: number;
  readonly idCount: number;
  /** Byte of the root inode: metadata block relative to the inode table, shifted by 16, plus the offset within. */
  readonly rootInode: bigint;
  readonly bytesUsed: number;
  readonly idTable: number;
  readonly inodeTable: number;
  readonly directoryTable: number;
  readonly fragmentTable: number | undefined;
  readonly exportTable: number | undefined;
}

const ZSTD = 6;
const MAX_INODES = 262_144;
const MAX_FRAGMENTS = 262_144;

/** Throws FORMAT_INVALID for another version or compressor, and for tables outside the image or out of order. */
export async function readSquashfsSuperblock(image: ReadableImage): Promise<SquashfsSuperblock> {
  const view = viewOf(await readRange(image, "squashfs superblock", 0, SUPERBLOCK_BYTES));
  const expect = (field: string, found: unknown, valid: boolean, expected: string): void => {
    if (!valid) throw malformed(image.name, `squashfs ${field}`, found, expected);
  };
  const [magic, major, minor] = [view.getUint32(0, true), view.getUint16(28, true), view.getUint16(30, true)];
  expect("magic", magic, magic === SQUASHFS_MAGIC, '"hsqs"');
  expect("version", `${major}.${minor}`, major === 4 && minor === 0, "4.0");
  const compressor = view.getUint16(20, true);
  expect("compressor", compressor, compressor === ZSTD, `${ZSTD} (zstd)`);
  const [blockBytes, log] = [view.getUint32(12, true), view.getUint16(22, true)];
  expect("block size", blockBytes, log >= 12 && log <= 20 && blockBytes === 2 ** log, "a power of two, 4 KiB to 1 MiB");
  const inodeCount = view.getUint32(4, true);
  expect("inode count", inodeCount, inodeCount > 0 && inodeCount <= MAX_INODES, `1 to ${MAX_INODES}`);
  const fragmentCount = view.getUint32(16, true);
  expect("fragment count", fragmentCount, fragmentCount <= MAX_FRAGMENTS, `at most ${MAX_FRAGMENTS}`);
  const used = view.getBigUint64(40, true);
  expect("bytes used", used, used <= BigInt(image.length), `at most ${image.length}`);
  const table = (field: string, offset: number): number | undefined => {
    const start = view.getBigUint64(offset, true);
    if (start === NO_TABLE) return undefined;
    expect(field, start, start >= BigInt(SUPERBLOCK_BYTES) && start < used, `a place below ${used}`);
    return Number(start);
  };
  const needed = (field: string, offset: number): number => {
    const start = table(field, offset);
    if (start === undefined) throw malformed(image.name, `squashfs ${field}`, "none", "a table");
    return start;
  };
  const [inodeTable, directoryTable] = [needed("inode table", 64), needed("directory table", 72)];
  expect("directory table", directoryTable, directoryTable > inodeTable, "a place after the inode table");
  return {
    inodeCount,
    blockBytes,
    fragmentCount,
    idCount: view.getUint16(26, true),
    rootInode: view.getBigUint64(32, true),
    bytesUsed: Number(used),
    idTable: needed("id table", 48),
    inodeTable,
    directoryTable,
    fragmentTable: fragmentCount === 0 ? undefined : needed("fragment table", 80),
    exportTable: table("export table", 88),
  };
}
