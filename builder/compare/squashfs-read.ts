// SPDX-License-Identifier: Apache-2.0
// Lists the files of a squashfs 4.0 image as mksquashfs writes it with zstd, and reads their contents.
// Spec: Linux Documentation/filesystems/squashfs.rst. The image may be hostile: every table, count, level and name is
// bounded, a directory that is met twice ends the reading, and names that could leave the root are refused.
// Left out: other compressors, extended attributes.
import { viewOf } from "../layout/bytes.ts";
import { malformed } from "../layout/read-at.ts";
import type { ReadableImage } from "../layout/read-at.ts";
import type { DirectoryInode, Inode } from "./squashfs-inode.ts";
import { decodeInode } from "./squashfs-inode.ts";
import type { MetadataTable } from "./squashfs-metadata.ts";
import { readIndexedTable, readMetadata } from "./squashfs-metadata.ts";
import type { SquashfsSuperblock } from "./squashfs-superblock.ts";
import { readSquashfsSuperblock } from "./squashfs-superblock.ts";

export interface SquashfsEntry {
  /** Without a leading slash; empty for the root. */
  readonly path: string;
  readonly inode: Inode;
  readonly uid: number;
  readonly gid: number;
  readonly target?: string;
}

/** `size` as stored; `stored`: not compressed. */
export interface SquashfsFragment {
  readonly start: number;
  readonly size: number;
  readonly stored: boolean;
}

export interface SquashfsFound {
  readonly image: ReadableImage;
  readonly superblock: SquashfsSuperblock;
  readonly inodes: MetadataTable;
  readonly directories: MetadataTable;
  /** Where the directory table's blocks end. */
  readonly directoriesEnd: number;
  readonly fragments: readonly SquashfsFragment[];
  /** Directories before what they hold, the root first; names in the order of the image, which is sorted. */
  readonly entries: readonly SquashfsEntry[];
}

const MAX_LEVELS = 64;
const MAX_LISTING_ENTRIES = 256; // of one header
const FRAGMENT_BYTES = 16;
const ID_BYTES = 4;

/** Reads superblock, tables and all entries. Throws FORMAT_INVALID on anything that does not hold together. */
export async function readSquashfs(image: ReadableImage): Promise<SquashfsFound> {
  const superblock = await readSquashfsSuperblock(image);
  const { idCount, idTable, fragmentCount, fragmentTable } = superblock;
  const ids = await readIndexedTable(image, "squashfs ids", { indexAt: idTable, bytes: idCount * ID_BYTES });
  const fragments =
    fragmentTable === undefined
      ? undefined
      : await readIndexedTable(image, "squashfs fragments", {
          indexAt: fragmentTable,
          bytes: fragmentCount * FRAGMENT_BYTES,
        });
  const { inodeTable, directoryTable } = superblock;
  const inodes = await readMetadata(image, "squashfs inodes", { start: inodeTable, end: directoryTable });
  const directoriesEnd = await endOfDirectories(image, superblock, [
    ids.firstBlock,
    ...(fragments === undefined ? [] : [fragments.firstBlock]),
  ]);
  const directories = await readMetadata(image, "squashfs directories", { start: directoryTable, end: directoriesEnd });
  const tables: Tables = { image, superblock, inodes, directories, ids: decodeIds(ids.bytes) };
  return {
    ...tables,
    directoriesEnd,
    fragments: fragments === undefined ? [] : decodeFragments(image, fragments.bytes),
    entries: walk(tables),
  };
}

interface Tables {
  readonly image: ReadableImage;
  readonly superblock: SquashfsSuperblock;
  readonly inodes: MetadataTable;
  readonly directories: MetadataTable;
  readonly ids: readonly number[];
}

/** The directory table ends where the first of the tables behind it begins. */
async function endOfDirectories(
  image: ReadableImage,
  { exportTable, inodeCount, directoryTable }: SquashfsSuperblock,
  starts: readonly number[],
): Promise<number> {
  const lookup =
    exportTable === undefined
      ? []
      : [
          (await readIndexedTable(image, "squashfs exports", { indexAt: exportTable, bytes: inodeCount * 8 }))
            .firstBlock,
        ];
  const end = Math.min(...starts, ...lookup);
  if (end < directoryTable)
    throw malformed(image.name, "squashfs directory table", directoryTable, `a place before ${end}`);
  return end;
}

function walk(tables: Tables): readonly SquashfsEntry[] {
  const { image, superblock } = tables;
  const root = inodeAt(tables, Number(superblock.rootInode >> 16n), Number(superblock.rootInode & 0xffffn));
  if (root.kind !== "directory") throw malformed(image.name, "squashfs root", root.kind, "a directory");
  const entries: SquashfsEntry[] = [describe(tables, "", root)];
  const seen = new Set<number>([root.at]);
  const pending: { path: string; inode: DirectoryInode; level: number }[] = [{ path: "", inode: root, level: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { path, level } = next;
    if (level > MAX_LEVELS) throw malformed(image.name, path, level, `at most ${MAX_LEVELS} levels`);
    for (const found of readListing(tables, path, next.inode)) {
      const inode = inodeAt(tables, found.block, found.offset);
      const child = path === "" ? found.name : `${path}/${found.name}`;
      entries.push(describe(tables, child, inode));
      if (entries.length > superblock.inodeCount + MAX_LINKS) {
        throw malformed(image.name, "squashfs entries", entries.length, `at most ${superblock.inodeCount + MAX_LINKS}`);
      }
      if (inode.kind !== "directory") continue;
      if (seen.has(inode.at)) throw malformed(image.name, child, inode.number, "a directory that is met once");
      seen.add(inode.at);
      pending.push({ path: child, inode, level: level + 1 });
    }
  }
  return entries;
}

const MAX_LINKS = 65_536; // names beyond one for each inode

function inodeAt({ inodes, superblock }: Tables, block: number, offset: number): Inode {
  return decodeInode(inodes.bytes, inodes.position(block, offset), superblock.blockBytes);
}

function describe({ image, ids }: Tables, path: string, inode: Inode): SquashfsEntry {
  const id = (index: number): number => {
    const value = ids[index];
    if (value === undefined) throw malformed(image.name, path, index, `an owner among the ${ids.length} of the table`);
    return value;
  };
  const common = { path, inode, uid: id(inode.uidIndex), gid: id(inode.gidIndex) };
  return inode.kind === "symlink" ? { ...common, target: decodeText(image, path, inode.target) } : common;
}

interface Listed {
  readonly name: string;
  readonly block: number;
  readonly offset: number;
}

/** Headers of 12 bytes, each followed by entries of 8 bytes and a name. */
function readListing({ image, directories }: Tables, path: string, inode: DirectoryInode): readonly Listed[] {
  if (inode.size === 0) return [];
  const start = directories.position(inode.block, inode.offset);
  const end = start + inode.size;
  if (end > directories.bytes.length) throw malformed(image.name, path, end, "a listing within the directory table");
  const view = viewOf(directories.bytes);
  const found: Listed[] = [];
  let last = "";
  let at = start;
  const need = (bytes: number): void => {
    if (at + bytes > end) throw malformed(image.name, path, at + bytes, `a listing that ends at ${end}`);
  };
  while (at < end) {
    need(12);
    const [count, block] = [view.getUint32(at, true) + 1, view.getUint32(at + 4, true)];
    if (count > MAX_LISTING_ENTRIES) throw malformed(image.name, path, count, `at most ${MAX_LISTING_ENTRIES} entries`);
    at += 12;
    for (let i = 0; i < count; i++) {
      need(8);
      const [offset, length] = [view.getUint16(at, true), view.getUint16(at + 6, true) + 1];
      at += 8;
      need(length);
      const name = checkedName(image, path, decodeText(image, path, directories.bytes.subarray(at, at + length)));
      if (last !== "" && Buffer.compare(Buffer.from(name), Buffer.from(last)) <= 0) {
        throw malformed(image.name, path, name, "names that are sorted, each once");
      }
      last = name;
      found.push({ name, block, offset });
      at += length;
    }
  }
  return found;
}

function checkedName(image: ReadableImage, directory: string, name: string): string {
  if (name !== "." && name !== ".." && !name.includes("/") && !name.includes("\0")) return name;
  throw malformed(image.name, directory, name, "a plain file name");
}

function decodeText(image: ReadableImage, where: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw malformed(image.name, where, Buffer.from(bytes.subarray(0, 64)).toString("latin1"), "a name in UTF-8");
  }
}

function decodeIds(bytes: Uint8Array): readonly number[] {
  const view = viewOf(bytes);
  return Array.from({ length: bytes.length / ID_BYTES }, (_, i) => view.getUint32(i * ID_BYTES, true));
}

function decodeFragments(image: ReadableImage, bytes: Uint8Array): readonly SquashfsFragment[] {
  const view = viewOf(bytes);
  return Array.from({ length: bytes.length / FRAGMENT_BYTES }, (_, i) => {
    const [start, size] = [view.getBigUint64(i * FRAGMENT_BYTES, true), view.getUint32(i * FRAGMENT_BYTES + 8, true)];
    if (start > BigInt(image.length))
      throw malformed(image.name, `squashfs fragment ${i}`, start, "a place in the image");
    return { start: Number(start), size: size & 0xff_ffff, stored: (size & (1 << 24)) !== 0 };
  });
}
