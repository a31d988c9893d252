// SPDX-License-Identifier: Apache-2.0
// A root image as a space: squashfs (files, fragments, inodes and listings by field), padding, dm-verity superblock and
// hash tree. Spec: Linux Documentation/filesystems/squashfs.rst; cryptsetup lib/verity/verity.c.
import { roundUp } from "../layout/extent.ts";
import { malformed } from "../layout/read-at.ts";
import type { ByteRange, ReadableImage } from "../layout/read-at.ts";
import { VERITY_BLOCK_BYTES } from "../layout/verity.ts";
import { fileImage, fileRuns, fragmentBytes } from "./squashfs-content.ts";
import { INODE_FIELDS } from "./squashfs-inode.ts";
import type { MetadataTable } from "./squashfs-metadata.ts";
import { METADATA_BYTES } from "./squashfs-metadata.ts";
import type { SquashfsEntry, SquashfsFound } from "./squashfs-read.ts";
import { readSquashfs } from "./squashfs-read.ts";
import { SUPERBLOCK_BYTES, SUPERBLOCK_FIELDS } from "./squashfs-superblock.ts";
import type { Expansion, Listed, Piece, Space, UnpackBudget } from "./space.ts";
import { leafOf, once, opaque } from "./space.ts";
import { bytesImage } from "./sub-image.ts";
import { VERITY_FIELDS, readVerity } from "./verity-read.ts";

/** Throws FORMAT_INVALID. */
export async function openRoot(image: ReadableImage, budget: UnpackBudget): Promise<Space> {
  const found = await readSquashfs(image);
  budget.left -= found.inodes.bytes.length + found.directories.bytes.length;
  if (budget.left <= 0) throw malformed(image.name, "squashfs tables", budget.left, "room in memory for them");
  const padded = roundUp(found.superblock.bytesUsed, VERITY_BLOCK_BYTES);
  const verity = image.length > padded ? await openVerity(image, padded) : undefined;
  return {
    image,
    format: "root",
    pieces: [
      {
        name: "squashfs superblock",
        runs: [{ offset: 0, length: SUPERBLOCK_BYTES }],
        leaf: leafOf(SUPERBLOCK_FIELDS),
      },
      ...found.entries.flatMap((entry) => filePiece(found, entry)),
      ...found.fragments.map((_, index) => fragmentPiece(found, index)),
      ...tablePieces(found),
      ...(verity?.pieces ?? []),
    ],
    listing: found.entries.flatMap((entry) => (entry.path === "" ? [] : [listed(found, entry)])),
    values: verity?.values ?? {},
  };
}

async function openVerity(image: ReadableImage, at: number): Promise<Pick<Space, "pieces" | "values">> {
  const { uuid, dataBlocks, salt } = await readVerity(image, at);
  const tree = at + VERITY_BLOCK_BYTES;
  return {
    pieces: [
      { name: "verity superblock", runs: [{ offset: at, length: VERITY_BLOCK_BYTES }], leaf: leafOf(VERITY_FIELDS) },
      { name: "verity hash tree", runs: [{ offset: tree, length: Math.max(0, image.length - tree) }] },
    ],
    values: { "verity UUID": uuid, "verity data blocks": String(dataBlocks), "verity salt": salt },
  };
}

function filePiece(found: SquashfsFound, { path, inode }: SquashfsEntry): readonly Piece[] {
  if (inode.kind !== "file" || inode.blocks.length === 0) return [];
  const { blockBytes } = found.superblock;
  const runs = fileRuns(inode);
  const indexes = inode.blocks.flatMap((block, index) => ((block & 0xff_ffff) === 0 ? [] : [index]));
  const expand = once(async (): Promise<Expansion> => {
    const position = (offset: number): number => (indexes[runIndex(runs, offset)] ?? 0) * blockBytes;
    return { space: opaque(fileImage(found, path, inode)), position };
  });
  return [{ name: `squashfs file /${path}`, runs, expand }];
}

function runIndex(runs: readonly ByteRange[], offset: number): number {
  let end = 0;
  return runs.findIndex((run) => offset < (end += run.length));
}

/** A block that holds the tails of several files. */
function fragmentPiece(found: SquashfsFound, index: number): Piece {
  const fragment = found.fragments[index];
  const { blockBytes } = found.superblock;
  const expand = once(async (): Promise<Expansion> => {
    const image = bytesImage(`fragment ${index}`, await fragmentBytes(found, index));
    const pieces = found.entries.flatMap(({ path, inode }): Piece[] => {
      if (inode.kind !== "file" || inode.fragment?.index !== index) return [];
      const before = inode.blocks.length * blockBytes;
      const run = { offset: inode.fragment.offset, length: inode.size - before };
      return [{ name: `squashfs file /${path}`, runs: [run], leaf: (at) => `byte ${before + at}` }];
    });
    return { space: { ...opaque(image), pieces }, position: () => 0 };
  });
  const runs = fragment === undefined ? [] : [{ offset: fragment.start, length: fragment.size }];
  return { name: `squashfs fragment block ${index}`, runs, expand };
}

function tablePieces(found: SquashfsFound): readonly Piece[] {
  const { inodeTable, directoryTable, fragmentTable, exportTable, idTable, bytesUsed } = found.superblock;
  const inodes = found.entries.map(({ path, inode }): Piece => {
    const leaf = leafOf(INODE_FIELDS);
    return {
      name: `inode of /${path}`,
      runs: [{ offset: inode.at, length: inode.length }],
      leaf: (at) => `(${leaf(at)})`,
    };
  });
  const listings = found.entries.flatMap(({ path, inode }): Piece[] => {
    if (inode.kind !== "directory" || inode.size === 0) return [];
    const at = found.directories.position(inode.block, inode.offset);
    return [{ name: `listing of /${path}`, runs: [{ offset: at, length: inode.size }] }];
  });
  const rest = [
    ["squashfs fragment table", fragmentTable],
    ["squashfs export table", exportTable],
    ["squashfs id table", idTable],
  ] as const;
  let from = found.directoriesEnd;
  const indexed = rest.flatMap(([name, index], i): Piece[] => {
    if (index === undefined || index < from) return [];
    const end = i === rest.length - 1 ? bytesUsed : index + 8;
    const run = { offset: from, length: Math.max(0, end - from) };
    from = end;
    return [{ name, runs: [run] }];
  });
  const run = (start: number, end: number): ByteRange => ({ offset: start, length: end - start });
  return [
    metadataPiece("squashfs inode table", run(inodeTable, directoryTable), found.inodes, inodes),
    metadataPiece("squashfs directory table", run(directoryTable, found.directoriesEnd), found.directories, listings),
    ...indexed,
  ];
}

function metadataPiece(name: string, run: ByteRange, table: MetadataTable, pieces: readonly Piece[]): Piece {
  const position = (offset: number): number =>
    Math.max(
      0,
      table.blockStarts.findLastIndex((start) => start <= offset),
    ) * METADATA_BYTES;
  const space = { ...opaque(bytesImage(name, table.bytes)), pieces };
  return { name, runs: [run], expand: async () => ({ space, position }) };
}

function listed(found: SquashfsFound, { path, inode, uid, gid, target }: SquashfsEntry): Listed {
  const common = { path, kind: inode.kind, mode: inode.mode, owner: `${uid}:${gid}` };
  switch (inode.kind) {
    case "file":
      return { ...common, size: inode.size, content: fileImage(found, path, inode) };
    case "symlink":
      return { ...common, size: inode.target.length, target: target ?? "" };
    case "device":
      return { ...common, size: 0, device: inode.device };
    case "directory":
    case "other":
      return { ...common, size: 0 };
    default:
      return inode satisfies never;
  }
}
