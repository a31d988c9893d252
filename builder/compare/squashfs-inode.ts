// SPDX-License-Identifier: Apache-2.0
// Decodes squashfs inodes. Spec: Linux fs/squashfs/squashfs_fs.h, "struct squashfs_*_inode".
// Left out: extended attributes (their index is ignored), directory indexes.
import { viewOf } from "../layout/bytes.ts";
import { malformed } from "../layout/read-at.ts";
import type { FieldTable } from "./space.ts";

/** The 16 bytes that every inode begins with. */
export const INODE_FIELDS: FieldTable = [
  ["type", 0, 2],
  ["mode", 2, 2],
  ["uid", 4, 2],
  ["gid", 6, 2],
  ["mtime", 8, 4],
  ["inode number", 12, 4],
];

export interface InodeCommon {
  /** Place in the unpacked inode table, and length. */
  readonly at: number;
  readonly length: number;
  readonly mode: number;
  /** Indexes into the id table. */
  readonly uidIndex: number;
  readonly gidIndex: number;
  readonly number: number;
}

export interface FileInode {
  readonly kind: "file";
  readonly size: number;
  /** Byte of the first data block. */
  readonly start: number;
  /** Stored length of each block, bit 24 set when it is not compressed; 0 is a hole. */
  readonly blocks: readonly number[];
  readonly fragment: { readonly index: number; readonly offset: number } | undefined;
}

export interface DirectoryInode {
  readonly kind: "directory";
  /** Metadata block relative to the directory table, and offset in it. */
  readonly block: number;
  readonly offset: number;
  /** Length of the listing in bytes. */
  readonly size: number;
}

export type Inode = InodeCommon &
  (
    | FileInode
    | DirectoryInode
    | { readonly kind: "symlink"; readonly target: Uint8Array }
    | { readonly kind: "device"; readonly device: string }
    | { readonly kind: "other" }
  );

export const STORED_BLOCK: number = 1 << 24;

const NO_FRAGMENT = 0xffff_ffff;
const MAX_TARGET_BYTES = 4096;
const MAX_BLOCKS = 1 << 16; // of one file: 8 GiB in blocks of 128 KiB
const EXTENDED = 7; // extended types are the basic ones plus 7

/** The inode at byte `at` of the unpacked table. Throws FORMAT_INVALID. */
export function decodeInode(table: Uint8Array, at: number, blockBytes: number): Inode {
  const view = viewOf(sliceFrom(table, at, 16));
  const type = view.getUint16(0, true);
  const common = {
    at,
    mode: view.getUint16(2, true),
    uidIndex: view.getUint16(4, true),
    gidIndex: view.getUint16(6, true),
    number: view.getUint32(12, true),
  };
  const extended = type > EXTENDED;
  switch (extended ? type - EXTENDED : type) {
    case 1:
      return { ...common, ...decodeDirectory(table, at, extended) };
    case 2:
      return { ...common, ...decodeFile(table, at, { extended, blockBytes }) };
    case 3:
      return { ...common, ...decodeSymlink(table, at, extended) };
    case 4:
    case 5:
      return { ...common, ...decodeDevice(table, at, extended) };
    case 6:
    case 7:
      return { ...common, kind: "other", length: extended ? 24 : 20 };
    default:
      throw refuse("type", type, "1 to 14");
  }
}

function decodeDirectory(table: Uint8Array, at: number, extended: boolean): DirectoryInode & { length: number } {
  const view = viewOf(sliceFrom(table, at, extended ? 40 : 32));
  const [block, size, offset] = extended
    ? [view.getUint32(24, true), view.getUint32(20, true), view.getUint16(34, true)]
    : [view.getUint32(16, true), view.getUint16(24, true), view.getUint16(26, true)];
  if (size < 3) throw refuse("directory size", size, "3 or more");
  return { kind: "directory", block, offset, size: size - 3, length: extended ? 40 : 32 }; // counts "." and ".."
}

function decodeFile(
  table: Uint8Array,
  at: number,
  { extended, blockBytes }: { readonly extended: boolean; readonly blockBytes: number },
): FileInode & { length: number } {
  const head = extended ? 56 : 32;
  const view = viewOf(sliceFrom(table, at, head));
  const [start, size] = extended
    ? [view.getBigUint64(16, true), view.getBigUint64(24, true)]
    : [BigInt(view.getUint32(16, true)), BigInt(view.getUint32(28, true))];
  const index = view.getUint32(extended ? 44 : 20, true);
  const offset = view.getUint32(extended ? 48 : 24, true);
  const fragment = index === NO_FRAGMENT ? undefined : { index, offset };
  const whole = size / BigInt(blockBytes);
  const count = fragment === undefined && size % BigInt(blockBytes) !== 0n ? whole + 1n : whole;
  if (count > BigInt(MAX_BLOCKS)) throw refuse("file size", size, `at most ${MAX_BLOCKS} blocks`);
  if (start > BigInt(Number.MAX_SAFE_INTEGER)) throw refuse("file start", start, "a place in the image");
  const sizes = viewOf(sliceFrom(table, at + head, Number(count) * 4));
  const blocks = Array.from({ length: Number(count) }, (_, i) => sizes.getUint32(i * 4, true));
  const length = head + blocks.length * 4;
  return { kind: "file", size: Number(size), start: Number(start), blocks, fragment, length };
}

function decodeSymlink(
  table: Uint8Array,
  at: number,
  extended: boolean,
): { kind: "symlink"; target: Uint8Array; length: number } {
  const size = viewOf(sliceFrom(table, at, 24)).getUint32(20, true);
  if (size === 0 || size > MAX_TARGET_BYTES) throw refuse("symlink size", size, `1 to ${MAX_TARGET_BYTES}`);
  return { kind: "symlink", target: sliceFrom(table, at + 24, size), length: 24 + size + (extended ? 4 : 0) };
}

function decodeDevice(
  table: Uint8Array,
  at: number,
  extended: boolean,
): { kind: "device"; device: string; length: number } {
  const rdev = viewOf(sliceFrom(table, at, 24)).getUint32(20, true); // new_encode_dev(): 12 bits of major between the minor's
  const [major, minor] = [(rdev >> 8) & 0xfff, (rdev & 0xff) | ((rdev >>> 12) & 0xfff00)];
  return { kind: "device", device: `${major}:${minor}`, length: extended ? 28 : 24 };
}

function sliceFrom(table: Uint8Array, at: number, length: number): Uint8Array {
  if (at + length > table.length) throw refuse("end", at + length, `an end within the table's ${table.length} bytes`);
  return table.subarray(at, at + length);
}

function refuse(field: string, found: unknown, expected: string): Error {
  return malformed("squashfs", `inode ${field}`, found, expected);
}
