// SPDX-License-Identifier: Apache-2.0
// Lays out a FAT32 volume around the files it holds, without copying them: boot sector, two tables, directories with
// long names, and every file contiguous at a known offset. Equal options give equal bytes.
// Spec: Microsoft FAT specification (fatgen103).
// Left out: FAT12/16, empty directories, attributes other than "archive". Limits: files below 4 GiB, 64 levels.
import { asciiBytes } from "./bytes.ts";
import { bytesLayout, placeLayouts } from "./extent.ts";
import { allocateClusters, encodeAllocationTable, FIRST_CLUSTER } from "./fat32-allocation.ts";
import { encodeReservedArea } from "./fat32-boot-sector.ts";
import { checkAddressable, checkFatContent, checkFatOptions, checkFatSize } from "./fat32-checks.ts";
import { ATTRIBUTE, encodeEntries, encodeShortEntry, fatTime } from "./fat32-entries.ts";
import {
  defaultClusterBytes,
  FAT_COPIES,
  fatGeometry,
  REFLINK_ALIGNMENT,
  smallestVolumeBytes,
  volumeBytesFor,
} from "./fat32-geometry.ts";
import { SHORT_NAME_BYTES } from "./fat32-names.ts";
import { buildFatTree, parentPath } from "./fat32-tree.ts";
import type { Layout, Placement } from "./extent.ts";
import type { Allocation } from "./fat32-allocation.ts";
import type { FatTime } from "./fat32-entries.ts";
import type { FatGeometry, FatUnits, SectorBytes } from "./fat32-geometry.ts";
import type { FatDirectory } from "./fat32-tree.ts";
import type { ByteRange } from "./read-at.ts";

/** `path` is from the root, with slashes (`EFI/BOOT/BOOTX64.EFI`); its directories are implied. */
export interface Fat32File {
  readonly path: string;
  readonly content: Layout;
}

/** What the size of a volume depends on. */
export interface Fat32Content {
  /** In the order of their data on the volume. */
  readonly files: readonly Fat32File[];
  readonly sectorBytes: SectorBytes;
  /** A file's offset in the volume is a multiple of it: a power of two, 512 to 1 MiB. By default the larger of the cluster and 4096. */
  readonly fileAlignment?: number | undefined;
  /** A power of two from the sector to 32768. By default Microsoft's choice for the volume's length. */
  readonly clusterBytes?: number | undefined;
}

export interface Fat32Options extends Fat32Content {
  /** A multiple of the sector size. */
  readonly lengthBytes: number;
  /** 32 bits. */
  readonly volumeId: number;
  /** 1 to 11 upper-case characters. */
  readonly label: string;
  /** Every timestamp, in seconds since 1970 (UTC); from 1980 to 2107. */
  readonly epochSeconds: number;
  /** Sectors before the volume on its disk. */
  readonly hiddenSectors: number;
}

export interface Fat32Volume {
  readonly layout: Layout;
  /** Where each file's bytes are in the volume; `offset` is 0 when `length` is. */
  readonly files: ReadonlyMap<string, ByteRange>;
  readonly clusterBytes: number;
}

/** All that is decided before bytes are written. */
interface VolumePlan {
  readonly options: Fat32Options;
  readonly units: FatUnits;
  readonly geometry: FatGeometry;
  readonly directories: readonly FatDirectory[];
  readonly allocation: Allocation;
  /** Bytes of each file, by path. */
  readonly sizes: ReadonlyMap<string, number>;
  readonly time: FatTime;
}

/**
 * Describes the volume. Throws PLAN_IMPOSSIBLE when the length is below FAT32's minimum or too small for the content
 * (saying how many bytes are needed), LAYOUT_INVALID for paths, labels and sizes that FAT cannot have, and
 * LAYOUT_OVERFLOW for a file of 4 GiB or more and for an epoch that FAT cannot store.
 */
export function layoutFat32(options: Fat32Options): Fat32Volume {
  checkFatOptions(options);
  const plan = planVolume(options);
  const { units, geometry, allocation } = plan;
  const files = new Map(options.files.map((file) => [file.path, fileRange(plan, file)]));
  const table = bytesLayout(encodeAllocationTable(allocation, units.sectorBytes));
  const placements: readonly Placement[] = [
    { what: "FAT boot sectors", offset: 0, layout: bytesLayout(reservedArea(plan)) },
    ...Array.from({ length: FAT_COPIES }, (_, copy) => ({
      what: `FAT table ${copy + 1}`,
      offset: (geometry.reservedSectors + copy * geometry.tableSectors) * units.sectorBytes,
      layout: table,
    })),
    ...plan.directories.map((directory) => ({
      what: `FAT directory ${directory.path}`,
      offset: clusterOffset(plan, allocation.directories.get(directory.path)?.first ?? 0),
      layout: bytesLayout(encodeDirectory(plan, directory)),
    })),
    ...options.files.map(({ path, content }) => ({
      what: path,
      offset: files.get(path)?.offset ?? 0,
      layout: content,
    })),
  ];
  return { layout: placeLayouts(options.lengthBytes, placements), files, clusterBytes: units.clusterBytes };
}

/**
 * The smallest length, in bytes, that `layoutFat32` accepts for this content with the same sector size, alignment and
 * cluster size. Nothing is left free but what FAT32's minimum of 65541 clusters leaves. Throws like `layoutFat32`.
 */
export function minimumFat32Bytes(content: Fat32Content): number {
  checkFatContent(content);
  const directories = buildFatTree(content.files.map((f) => f.path));
  return minimumFor(content, directories);
}

function minimumFor(content: Fat32Content, directories: readonly FatDirectory[]): number {
  const clustersFor = (units: FatUnits): number => allocate(content, directories, units).end - FIRST_CLUSTER;
  const unitsFor = (clusterBytes: number): FatUnits => unitsWith(content, clusterBytes);
  const fixed = content.clusterBytes === undefined ? undefined : unitsFor(content.clusterBytes);
  const bytes =
    fixed === undefined
      ? smallestVolumeBytes(content.sectorBytes, unitsFor, clustersFor)
      : volumeBytesFor(clustersFor(fixed), fixed);
  checkAddressable(bytes, content);
  return bytes;
}

function planVolume(options: Fat32Options): VolumePlan {
  const directories = buildFatTree(options.files.map((f) => f.path));
  const clusterBytes = options.clusterBytes ?? defaultClusterBytes(options.lengthBytes, options.sectorBytes);
  const units = unitsWith(options, clusterBytes);
  const geometry = fatGeometry(options.lengthBytes, units);
  const allocation = allocate(options, directories, units);
  checkFatSize(options, {
    geometry,
    neededClusters: allocation.end - FIRST_CLUSTER,
    neededBytes: () => minimumFor(options, directories),
  });
  const sizes = new Map(options.files.map((f) => [f.path, f.content.length]));
  return { options, units, geometry, directories, allocation, sizes, time: fatTime(options.epochSeconds) };
}

function unitsWith(content: Fat32Content, clusterBytes: number): FatUnits {
  const fileAlignment = content.fileAlignment ?? Math.max(REFLINK_ALIGNMENT, clusterBytes);
  return { sectorBytes: content.sectorBytes, clusterBytes, fileAlignment };
}

function allocate(content: Fat32Content, directories: readonly FatDirectory[], units: FatUnits): Allocation {
  const files = content.files.map((f) => ({ path: f.path, bytes: f.content.length }));
  return allocateClusters(directories, files, units);
}

function reservedArea({ options, units, geometry, allocation }: VolumePlan): Uint8Array {
  return encodeReservedArea({
    geometry,
    units,
    volumeId: options.volumeId,
    label: options.label,
    hiddenSectors: options.hiddenSectors,
    freeClusters: geometry.clusters - allocation.taken,
    lastTakenCluster: allocation.end - 1,
  });
}

function fileRange(plan: VolumePlan, { path, content }: Fat32File): ByteRange {
  const first = plan.allocation.files.get(path)?.first ?? 0;
  return content.length === 0
    ? { offset: 0, length: 0 }
    : { offset: clusterOffset(plan, first), length: content.length };
}

function clusterOffset({ geometry, units }: VolumePlan, cluster: number): number {
  return geometry.dataOffset + (cluster - FIRST_CLUSTER) * units.clusterBytes;
}

function encodeDirectory(plan: VolumePlan, directory: FatDirectory): Uint8Array {
  const out = new Uint8Array(directory.bytes);
  let at = 0;
  const put = (entry: Uint8Array): void => {
    out.set(entry, at);
    at += entry.length;
  };
  for (const entry of fixedEntries(plan, directory.path)) put(entry);
  for (const { kind, name, path, short } of directory.nodes) {
    const { directories, files } = plan.allocation;
    const file = kind === "file";
    const firstCluster = (file ? files : directories).get(path)?.first ?? 0;
    const attributes = file ? ATTRIBUTE.archive : ATTRIBUTE.directory;
    put(
      encodeEntries(name, short, { attributes, firstCluster, sizeBytes: plan.sizes.get(path) ?? 0, time: plan.time }),
    );
  }
  return out;
}

/** The volume label in the root; `.` and `..` everywhere else. The root is cluster 0 to its children. */
function fixedEntries({ options, allocation, time }: VolumePlan, path: string): readonly Uint8Array[] {
  const entry = (name: string, attributes: number, firstCluster: number): Uint8Array =>
    encodeShortEntry(asciiBytes(name.padEnd(SHORT_NAME_BYTES)), { attributes, firstCluster, sizeBytes: 0, time });
  if (path === "") return [entry(options.label, ATTRIBUTE.volumeLabel, 0)];
  const parent = parentPath(path);
  const first = (of: string): number => (of === "" ? 0 : (allocation.directories.get(of)?.first ?? 0));
  return [entry(".", ATTRIBUTE.directory, first(path)), entry("..", ATTRIBUTE.directory, first(parent))];
}
