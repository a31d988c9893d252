// SPDX-License-Identifier: Apache-2.0
// Decides which clusters each directory and file takes, and encodes the file allocation table that says so.
// Everything is contiguous: directories first (the root is cluster 2), then the files in the order given.
// Spec: Microsoft FAT specification (fatgen103), "FAT Data Structure".
import { roundUp } from "./extent.ts";
import type { FatDirectory } from "./fat32-tree.ts";

export const FIRST_CLUSTER = 2;
export const END_OF_CHAIN = 0x0fff_ffff;
export const FAT_ENTRY_BYTES = 4;
const MEDIA_ENTRY = 0x0fff_fff8; // entry 0: media byte 0xf8
const CLEAN_ENTRY = 0x0fff_ffff; // entry 1: end of chain, with the bits for "cleanly unmounted" and "no errors" set

/** Clusters `first` to `first + count - 1`. An empty file has neither: both are 0. */
export interface Chain {
  readonly first: number;
  readonly count: number;
}

export interface Allocation {
  readonly directories: ReadonlyMap<string, Chain>;
  readonly files: ReadonlyMap<string, Chain>;
  /** The cluster after the last one taken. */
  readonly end: number;
  /** How many are taken; alignment leaves free clusters in between. */
  readonly taken: number;
}

export interface AllocationSizes {
  readonly clusterBytes: number;
  /** Each file's distance from the start of the data area is a multiple of it. A power of two, in bytes. */
  readonly fileAlignment: number;
}

export interface SizedFile {
  readonly path: string;
  readonly bytes: number;
}

/** Lays out directories and files without gaps other than those for alignment. */
export function allocateClusters(
  directories: readonly FatDirectory[],
  files: readonly SizedFile[],
  sizes: AllocationSizes,
): Allocation {
  const step = Math.max(1, sizes.fileAlignment / sizes.clusterBytes);
  const placed = { directories: new Map<string, Chain>(), files: new Map<string, Chain>() };
  let end = FIRST_CLUSTER;
  let taken = 0;
  const take = (bytes: number): Chain => {
    const chain = { first: end, count: Math.ceil(bytes / sizes.clusterBytes) };
    end += chain.count;
    taken += chain.count;
    return chain;
  };
  for (const directory of directories) placed.directories.set(directory.path, take(directory.bytes));
  for (const { path, bytes } of files) {
    if (bytes > 0) end = FIRST_CLUSTER + roundUp(end - FIRST_CLUSTER, step);
    placed.files.set(path, bytes > 0 ? take(bytes) : { first: 0, count: 0 });
  }
  return { ...placed, end, taken };
}

/** The used start of the table, in whole sectors; the rest of the table is zeros (free clusters). */
export function encodeAllocationTable(allocation: Allocation, sectorBytes: number): Uint8Array {
  const bytes = new Uint8Array(roundUp(allocation.end * FAT_ENTRY_BYTES, sectorBytes));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MEDIA_ENTRY, true);
  view.setUint32(FAT_ENTRY_BYTES, CLEAN_ENTRY, true);
  for (const chain of [...allocation.directories.values(), ...allocation.files.values()]) putChain(view, chain);
  return bytes;
}

function putChain(view: DataView, { first, count }: Chain): void {
  const last = first + count - 1;
  for (let c = first; c < last; c++) view.setUint32(c * FAT_ENTRY_BYTES, c + 1, true);
  if (count > 0) view.setUint32(last * FAT_ENTRY_BYTES, END_OF_CHAIN, true);
}
