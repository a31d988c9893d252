// SPDX-License-Identifier: Apache-2.0
// Lists the files of a FAT32 volume with the byte ranges of their data, for verification and comparison.
// Spec: Microsoft FAT specification (fatgen103). The volume may be hostile: a cluster that is out of range or belongs
// to two chains ends the reading, which also bounds loops, and so do too many entries, levels or table bytes.
// Left out: FAT12/16, code pages (a short name is read as Latin-1), deleted entries.
import { viewOf } from "./bytes.ts";
import { FAT_ENTRY_BYTES, FIRST_CLUSTER } from "./fat32-allocation.ts";
import { decodeDirectory } from "./fat32-read-entries.ts";
import { MAX_FAT32_CLUSTERS, MIN_FAT32_CLUSTERS } from "./fat32-geometry.ts";
import { MAX_DIRECTORY_BYTES, MAX_PATH_DEPTH } from "./fat32-tree.ts";
import { malformed, readRange } from "./read-at.ts";
import type { FoundEntry } from "./fat32-read-entries.ts";
import type { ByteRange, ReadableImage } from "./read-at.ts";

const MAX_TABLE_BYTES = 2 ** 26; // 16 million clusters: 64 GiB of 4 KiB ones
const MAX_ENTRIES = 65_536;
const CLUSTER_MASK = 0x0fff_ffff; // the top 4 bits are reserved
const FIRST_END_MARK = 0x0fff_fff8;

/** `runs` are the file's bytes in order, neighbouring clusters merged: one run when it is contiguous, none when empty. */
export interface FatFileFound {
  readonly path: string;
  readonly kind: "file" | "directory";
  /** Bytes; 0 for a directory. */
  readonly length: number;
  readonly runs: readonly ByteRange[];
}

export interface FatVolumeFound {
  readonly label: string;
  readonly volumeId: number;
  readonly sectorBytes: number;
  readonly clusterBytes: number;
  /** Directories before what they hold, otherwise in the order on the volume. */
  readonly files: readonly FatFileFound[];
  /** Where the root directory is. */
  readonly rootRuns: readonly ByteRange[];
  /** Where the tables are, one copy behind the other. */
  readonly tables: readonly ByteRange[];
}

interface Volume {
  readonly image: ReadableImage;
  readonly clusterBytes: number;
  readonly dataOffset: number;
  readonly clusters: number;
  readonly table: DataView;
  /** One flag a cluster: taken by a chain that was already followed. */
  readonly seen: Uint8Array;
}

/** Reads the volume that starts at byte 0 of `image`. Throws FORMAT_INVALID on anything that does not hold together. */
export async function readFat32(image: ReadableImage): Promise<FatVolumeFound> {
  const boot = viewOf(await readRange(image, "boot sector", 0, 512));
  const volume = await openVolume(image, boot);
  const files: FatFileFound[] = [];
  let label = "";
  const rootRuns = followChain(volume, boot.getUint32(44, true), "/");
  const pending = [{ path: "", runs: rootRuns, depth: 0 }];
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    const { path, depth, runs } = next;
    if (depth > MAX_PATH_DEPTH) throw malformed(image.name, path, depth, `at most ${MAX_PATH_DEPTH} levels`);
    const found = decodeDirectory(await readDirectory(volume, path, runs), { volume: image.name, directory: path });
    if (path === "") label = found.label ?? "";
    for (const entry of found.entries) {
      const file = describeEntry(volume, path, entry);
      files.push(file);
      if (file.kind === "directory") pending.push({ path: file.path, runs: file.runs, depth: depth + 1 });
    }
    if (files.length > MAX_ENTRIES) throw malformed(image.name, "entries", files.length, `at most ${MAX_ENTRIES}`);
  }
  const identity = { label, volumeId: boot.getUint32(67, true), sectorBytes: boot.getUint16(11, true) };
  return { ...identity, clusterBytes: volume.clusterBytes, files, rootRuns, tables: tableRuns(boot) };
}

function tableRuns(boot: DataView): readonly ByteRange[] {
  const sector = boot.getUint16(11, true);
  const length = boot.getUint32(36, true) * sector;
  const first = boot.getUint16(14, true) * sector;
  return Array.from({ length: boot.getUint8(16) }, (_, i) => ({ offset: first + i * length, length }));
}

async function openVolume(image: ReadableImage, boot: DataView): Promise<Volume> {
  const field = (name: string, value: number, valid: boolean, expected: string): number => {
    if (!valid) throw malformed(image.name, `FAT32 ${name}`, value, expected);
    return value;
  };
  const signature = boot.getUint16(510, true);
  field("signature", signature, signature === 0xaa55, "43605 (0xaa55)");
  const sector = boot.getUint16(11, true);
  field("bytes per sector", sector, [512, 1024, 2048, 4096].includes(sector), "512, 1024, 2048 or 4096");
  const perCluster = boot.getUint8(13);
  field("sectors per cluster", perCluster, perCluster > 0 && (perCluster & (perCluster - 1)) === 0, "a power of two");
  const shortTable = boot.getUint16(22, true);
  field("table sectors, short", shortTable, shortTable === 0, "0, as it is on FAT32");
  const reserved = boot.getUint16(14, true);
  const tableSectors = boot.getUint32(36, true);
  const dataOffset = (reserved + boot.getUint8(16) * tableSectors) * sector;
  const total = boot.getUint32(32, true);
  field("total sectors", total, total * sector <= image.length, `a volume within ${image.length} bytes`);
  const clusterBytes = sector * perCluster;
  const clusters = Math.floor((total * sector - dataOffset) / clusterBytes);
  field(
    "clusters",
    clusters,
    clusters >= MIN_FAT32_CLUSTERS && clusters <= MAX_FAT32_CLUSTERS,
    "a FAT32 number of them",
  );
  const tableBytes = (clusters + FIRST_CLUSTER) * FAT_ENTRY_BYTES;
  const tableFits = tableBytes <= tableSectors * sector && tableBytes <= MAX_TABLE_BYTES;
  field("table sectors", tableSectors, tableFits, `a table for ${clusters} clusters, within ${MAX_TABLE_BYTES} bytes`);
  const table = viewOf(await readRange(image, "FAT", reserved * sector, tableBytes));
  return { image, clusterBytes, dataOffset, clusters, table, seen: new Uint8Array(clusters + FIRST_CLUSTER) };
}

/** The clusters from `first` to the end mark as byte ranges. No cluster may be met twice, in this chain or another. */
function followChain(volume: Volume, first: number, path: string): readonly ByteRange[] {
  const runs: ByteRange[] = [];
  let cluster = first & CLUSTER_MASK;
  while (cluster < FIRST_END_MARK) {
    if (cluster < FIRST_CLUSTER || cluster >= volume.clusters + FIRST_CLUSTER) {
      throw malformed(volume.image.name, path, cluster, `a cluster from 2 to ${volume.clusters + 1}`);
    }
    if (volume.seen[cluster] === 1) throw malformed(volume.image.name, path, cluster, "a cluster that is used once");
    volume.seen[cluster] = 1;
    appendRun(runs, volume.dataOffset + (cluster - FIRST_CLUSTER) * volume.clusterBytes, volume.clusterBytes);
    cluster = volume.table.getUint32(cluster * FAT_ENTRY_BYTES, true) & CLUSTER_MASK;
  }
  return runs;
}

function appendRun(runs: ByteRange[], offset: number, length: number): void {
  const last = runs.at(-1);
  if (last !== undefined && last.offset + last.length === offset) {
    runs[runs.length - 1] = { offset: last.offset, length: last.length + length };
  } else runs.push({ offset, length });
}

function describeEntry(volume: Volume, directory: string, entry: FoundEntry): FatFileFound {
  const path = directory === "" ? entry.name : `${directory}/${entry.name}`;
  if (entry.kind === "directory") {
    return { path, kind: "directory", length: 0, runs: followChain(volume, entry.firstCluster, path) };
  }
  const chain = entry.firstCluster === 0 ? [] : followChain(volume, entry.firstCluster, path);
  return { path, kind: "file", length: entry.sizeBytes, runs: trimRuns(volume, path, chain, entry.sizeBytes) };
}

/** Cuts the slack of the last cluster off. The chain must have exactly the clusters that `length` bytes take. */
function trimRuns(volume: Volume, path: string, chain: readonly ByteRange[], length: number): readonly ByteRange[] {
  const allocated = chain.reduce((sum, run) => sum + run.length, 0);
  const needed = Math.ceil(length / volume.clusterBytes) * volume.clusterBytes;
  if (allocated !== needed) throw malformed(volume.image.name, path, allocated, `${needed} bytes of clusters`);
  const slack = allocated - length;
  return chain.map((run, i) => (i === chain.length - 1 ? { ...run, length: run.length - slack } : run));
}

async function readDirectory(volume: Volume, path: string, runs: readonly ByteRange[]): Promise<Uint8Array> {
  const bytes = runs.reduce((sum, run) => sum + run.length, 0);
  if (bytes > MAX_DIRECTORY_BYTES) {
    throw malformed(volume.image.name, path, bytes, `a directory of at most ${MAX_DIRECTORY_BYTES} bytes`);
  }
  const parts: Uint8Array[] = [];
  for (const run of runs) parts.push(await readRange(volume.image, path, run.offset, run.length));
  return Buffer.concat(parts);
}
