// SPDX-License-Identifier: Apache-2.0
// Reads contents out of a squashfs image: a file as an image of its own, unpacked block by block, and fragment blocks.
// Spec: Linux Documentation/filesystems/squashfs.rst, sections 3.1 and 3.4. Memory: two unpacked blocks.
import { malformed, readRange } from "../layout/read-at.ts";
import type { ByteRange, ReadableImage } from "../layout/read-at.ts";
import { inflateZstd } from "./bounded-zstd.ts";
import type { FileInode } from "./squashfs-inode.ts";
import { STORED_BLOCK } from "./squashfs-inode.ts";
import type { SquashfsFound } from "./squashfs-read.ts";

/** Where the data blocks of a file are stored; holes and the fragment have no place of their own. */
export function fileRuns(file: FileInode): readonly ByteRange[] {
  let at = file.start;
  return file.blocks.flatMap((block) => {
    const length = block & (STORED_BLOCK - 1);
    const run = { offset: at, length };
    at += length;
    return length === 0 ? [] : [run];
  });
}

/** The content of a file. Reading throws FORMAT_INVALID for blocks that do not unpack to their size. */
export function fileImage(found: SquashfsFound, name: string, file: FileInode): ReadableImage {
  const { blockBytes } = found.superblock;
  let kept: { index: number; bytes: Uint8Array } | undefined;
  const starts: number[] = [];
  let stored = file.start;
  for (const block of file.blocks) {
    starts.push(stored);
    stored += block & (STORED_BLOCK - 1);
  }
  const unpack = async (index: number): Promise<Uint8Array> => {
    if (kept?.index === index) return kept.bytes;
    const wanted = Math.min(blockBytes, file.size - index * blockBytes);
    const bytes =
      index < file.blocks.length
        ? await unpackBlock(found, { name, at: starts[index] ?? 0, block: file.blocks[index] ?? 0 }, wanted)
        : await unpackTail(found, name, file, wanted);
    kept = { index, bytes };
    return bytes;
  };
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    const parts: Uint8Array[] = [];
    for (let at = offset; at < offset + length;) {
      const index = Math.floor(at / blockBytes);
      const bytes = await unpack(index);
      const from = at - index * blockBytes;
      const piece = bytes.subarray(from, Math.min(bytes.length, from + offset + length - at));
      if (piece.length === 0) throw malformed(found.image.name, name, bytes.length, "a block that holds its bytes");
      parts.push(piece);
      at += piece.length;
    }
    return Buffer.concat(parts);
  };
  return { name, length: file.size, read };
}

/** Unpacks fragment block `index`. */
export async function fragmentBytes(found: SquashfsFound, index: number): Promise<Uint8Array> {
  const fragment = found.fragments[index];
  const name = `fragment ${index}`;
  if (fragment === undefined) throw malformed(found.image.name, name, index, `one of ${found.fragments.length}`);
  const { start, size, stored } = fragment;
  const raw = await readRange(found.image, name, start, size);
  return stored ? raw : inflateZstd(raw, found.superblock.blockBytes, `${found.image.name} ${name}`);
}

interface StoredBlock {
  readonly name: string;
  readonly at: number;
  /** Length, with bit 24 set when it is not compressed. */
  readonly block: number;
}

async function unpackBlock(
  found: SquashfsFound,
  { name, at, block }: StoredBlock,
  wanted: number,
): Promise<Uint8Array> {
  const length = block & (STORED_BLOCK - 1);
  if (length === 0) return new Uint8Array(wanted);
  const { blockBytes } = found.superblock;
  if (length > blockBytes) throw malformed(found.image.name, name, length, `a block of at most ${blockBytes} bytes`);
  const raw = await readRange(found.image, name, at, length);
  const bytes = (block & STORED_BLOCK) === 0 ? inflateZstd(raw, blockBytes, `${found.image.name} ${name}`) : raw;
  if (bytes.length !== wanted) throw malformed(found.image.name, name, bytes.length, `a block of ${wanted} bytes`);
  return bytes;
}

async function unpackTail(found: SquashfsFound, name: string, file: FileInode, wanted: number): Promise<Uint8Array> {
  if (file.fragment === undefined) throw malformed(found.image.name, name, file.size, "blocks for all of its bytes");
  const { index, offset } = file.fragment;
  const bytes = await fragmentBytes(found, index);
  if (offset + wanted > bytes.length) {
    throw malformed(found.image.name, name, offset + wanted, `a tail within ${bytes.length} bytes of its fragment`);
  }
  return bytes.subarray(offset, offset + wanted);
}
