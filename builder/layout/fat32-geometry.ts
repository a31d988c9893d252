// SPDX-License-Identifier: Apache-2.0
// Sizes of a FAT32 volume: reserved area, two tables, data area. The data area starts on a multiple of 4096 bytes, of
// the cluster and of the file alignment, so that a file's place in the volume is as aligned as its cluster.
// Spec: Microsoft FAT specification (fatgen103), "FAT Type Determination" and "FAT Volume Initialization".
import { roundUp } from "./extent.ts";
import { FAT_ENTRY_BYTES, FIRST_CLUSTER } from "./fat32-allocation.ts";

export type SectorBytes = 512 | 4096;

export const FAT_COPIES = 2;
export const MIN_FAT32_CLUSTERS = 65_525; // below it a volume is FAT16, whatever its boot sector says
export const SAFE_FAT32_CLUSTERS = 65_541; // fatgen103: stay 16 clear of 65525, as many drivers count wrongly
export const MAX_FAT32_CLUSTERS = 0x0fff_fff5;
export const MAX_CLUSTER_BYTES = 32_768;
export const REFLINK_ALIGNMENT = 4096; // block size of the usual host file systems, in bytes
const MIN_RESERVED_SECTORS = 32;
const MAX_SECTORS = 0xffff_ffff;

/** Microsoft's default cluster sizes for FAT32; `upTo` is the volume size in bytes, inclusive. */
const CLUSTER_TABLE: readonly { readonly upTo: number; readonly clusterBytes: number }[] = [
  { upTo: 260 * 2 ** 20, clusterBytes: 512 },
  { upTo: 8 * 2 ** 30, clusterBytes: 4096 },
  { upTo: 16 * 2 ** 30, clusterBytes: 8192 },
  { upTo: 32 * 2 ** 30, clusterBytes: 16_384 },
  { upTo: Infinity, clusterBytes: 32_768 },
];

/** Units that decide where the parts of a volume lie, in bytes; all are powers of two. */
export interface FatUnits {
  readonly sectorBytes: SectorBytes;
  readonly clusterBytes: number;
  readonly fileAlignment: number;
}

export interface FatGeometry {
  readonly totalSectors: number;
  readonly reservedSectors: number;
  /** Of one of the two tables. */
  readonly tableSectors: number;
  /** Byte offset of cluster 2. */
  readonly dataOffset: number;
  readonly clusters: number;
}

/** The cluster size for a volume of `lengthBytes` when none is asked for. */
export function defaultClusterBytes(lengthBytes: number, sectorBytes: SectorBytes): number {
  const row = CLUSTER_TABLE.find((r) => lengthBytes <= r.upTo);
  return Math.max(sectorBytes, row?.clusterBytes ?? MAX_CLUSTER_BYTES);
}

/** The geometry with the smallest tables that cover every cluster. `clusters` may be too few for FAT32. */
export function fatGeometry(lengthBytes: number, units: FatUnits): FatGeometry {
  const totalSectors = lengthBytes / units.sectorBytes;
  const sectorsPerCluster = units.clusterBytes / units.sectorBytes;
  const clustersWith = (tableSectors: number): number =>
    Math.max(0, Math.floor((lengthBytes - dataOffset(tableSectors, units)) / units.clusterBytes));
  const covers = (tableSectors: number): boolean =>
    tableSectors * (units.sectorBytes / FAT_ENTRY_BYTES) >= clustersWith(tableSectors) + FIRST_CLUSTER;
  const entriesPerSector = units.sectorBytes / FAT_ENTRY_BYTES;
  let tableSectors = Math.ceil(
    (totalSectors + FIRST_CLUSTER * sectorsPerCluster) / (entriesPerSector * sectorsPerCluster + FAT_COPIES),
  );
  while (tableSectors > 1 && covers(tableSectors - 1)) tableSectors--;
  return {
    totalSectors,
    tableSectors,
    reservedSectors: dataOffset(tableSectors, units) / units.sectorBytes - FAT_COPIES * tableSectors,
    dataOffset: dataOffset(tableSectors, units),
    clusters: clustersWith(tableSectors),
  };
}

/** The smallest volume, in bytes, with these units and at least `clusters` clusters. */
export function volumeBytesFor(clusters: number, units: FatUnits): number {
  const count = Math.max(clusters, SAFE_FAT32_CLUSTERS);
  const tableSectors = Math.ceil(((count + FIRST_CLUSTER) * FAT_ENTRY_BYTES) / units.sectorBytes);
  return dataOffset(tableSectors, units) + count * units.clusterBytes;
}

/**
 * The smallest volume, in bytes, whose default cluster size leaves room for what `clustersFor` asks at that size.
 * Infinity when no volume is large enough.
 */
export function smallestVolumeBytes(
  sectorBytes: SectorBytes,
  unitsFor: (clusterBytes: number) => FatUnits,
  clustersFor: (units: FatUnits) => number,
): number {
  let above = 0;
  for (const row of CLUSTER_TABLE) {
    const clusterBytes = Math.max(sectorBytes, row.clusterBytes);
    const units = unitsFor(clusterBytes);
    const bytes = Math.max(volumeBytesFor(clustersFor(units), units), above);
    if (bytes <= row.upTo && fitsSectors(bytes, sectorBytes)) return bytes;
    above = row.upTo + sectorBytes;
  }
  return Infinity;
}

/** Whether the 32-bit sector count of the boot sector can say this length. */
export function fitsSectors(lengthBytes: number, sectorBytes: SectorBytes): boolean {
  return lengthBytes / sectorBytes <= MAX_SECTORS;
}

function dataOffset(tableSectors: number, units: FatUnits): number {
  const alignment = Math.max(REFLINK_ALIGNMENT, units.clusterBytes, units.fileAlignment);
  return roundUp((MIN_RESERVED_SECTORS + FAT_COPIES * tableSectors) * units.sectorBytes, alignment);
}
