// SPDX-License-Identifier: Apache-2.0
// Refuses FAT32 options that no volume can satisfy, before anything is laid out.
// Spec: Microsoft FAT specification (fatgen103), "Boot Sector and BPB" and "FAT Type Determination".
import { FactoryError } from "../errors.ts";
import { fitsSectors, MAX_CLUSTER_BYTES, MAX_FAT32_CLUSTERS, SAFE_FAT32_CLUSTERS } from "./fat32-geometry.ts";
import { SHORT_NAME_BYTES } from "./fat32-names.ts";
import type { Fat32Content, Fat32Options } from "./fat32.ts";
import type { FatGeometry } from "./fat32-geometry.ts";
import type { ErrorCode } from "../errors.ts";

export const MAX_FILE_BYTES = 0xffff_ffff;
const MIN_FILE_ALIGNMENT = 512;
const MAX_FILE_ALIGNMENT = 2 ** 20; // keeps the reserved area within its 16-bit count
const LABEL = /^[A-Z0-9!#$%&'()@^_`{}~-][A-Z0-9!#$%&'()@^_`{}~ -]*$/;

/** What the content takes and the volume has. `neededBytes` is only asked for when they do not meet. */
export interface FatDemand {
  readonly geometry: FatGeometry;
  readonly neededClusters: number;
  readonly neededBytes: () => number;
}

/** Throws LAYOUT_INVALID or LAYOUT_OVERFLOW on content that is wrong at any volume size. */
export function checkFatContent(content: Fat32Content): void {
  const { sectorBytes, clusterBytes, fileAlignment } = content;
  if (clusterBytes !== undefined && !isPowerWithin(clusterBytes, sectorBytes, MAX_CLUSTER_BYTES)) {
    throw wrong("clusterBytes", clusterBytes, `a power of two from ${sectorBytes} to ${MAX_CLUSTER_BYTES}`);
  }
  if (fileAlignment !== undefined && !isPowerWithin(fileAlignment, MIN_FILE_ALIGNMENT, MAX_FILE_ALIGNMENT)) {
    throw wrong("fileAlignment", fileAlignment, `a power of two from ${MIN_FILE_ALIGNMENT} to ${MAX_FILE_ALIGNMENT}`);
  }
  for (const file of content.files) {
    const { length } = file.content;
    if (length <= MAX_FILE_BYTES) continue;
    throw fat32Error(
      "LAYOUT_OVERFLOW",
      file.path,
      length,
      `at most ${MAX_FILE_BYTES} bytes in one file`,
      "split the file",
    );
  }
}

/** The same for a whole volume: content, label and length. */
export function checkFatOptions(options: Fat32Options): void {
  checkFatContent(options);
  const { label, lengthBytes, sectorBytes } = options;
  if (label.length > SHORT_NAME_BYTES || !LABEL.test(label) || label.trimEnd() === "NO NAME") {
    throw wrong(
      "label",
      label,
      `1 to ${SHORT_NAME_BYTES} of A-Z 0-9 space ! # $ % & ' ( ) - @ ^ _ \` { } ~, not NO NAME`,
    );
  }
  if (!Number.isSafeInteger(lengthBytes) || lengthBytes <= 0 || lengthBytes % sectorBytes !== 0) {
    throw wrong("lengthBytes", lengthBytes, `a positive multiple of the sector size, ${sectorBytes}`);
  }
  checkAddressable(lengthBytes, { sectorBytes });
}

/** Throws PLAN_IMPOSSIBLE for a volume of more sectors than 32 bits count. */
export function checkAddressable(lengthBytes: number, { sectorBytes }: Pick<Fat32Content, "sectorBytes">): void {
  if (fitsSectors(lengthBytes, sectorBytes)) return;
  const expected = `at most 4294967295 sectors of ${sectorBytes} bytes`;
  throw fat32Error("PLAN_IMPOSSIBLE", "FAT32 volume", lengthBytes, expected, "make the volume or its content smaller");
}

/** Throws PLAN_IMPOSSIBLE when the volume has too few clusters to be FAT32 or to hold the content, or too many. */
export function checkFatSize({ lengthBytes }: Fat32Options, demand: FatDemand): void {
  const { clusters } = demand.geometry;
  if (clusters > MAX_FAT32_CLUSTERS) {
    const expected = `at most ${MAX_FAT32_CLUSTERS} clusters`;
    throw fat32Error(
      "PLAN_IMPOSSIBLE",
      "FAT32 clusters",
      clusters,
      expected,
      "take larger clusters or a smaller volume",
    );
  }
  if (clusters >= Math.max(demand.neededClusters, SAFE_FAT32_CLUSTERS)) return;
  const bytes = demand.neededBytes();
  const why = clusters < SAFE_FAT32_CLUSTERS ? `${SAFE_FAT32_CLUSTERS} clusters, the least for FAT32` : "the content";
  const fix = `make the volume at least ${bytes} bytes${clusters < demand.neededClusters ? ", or take files out of it" : ""}`;
  throw fat32Error("PLAN_IMPOSSIBLE", "FAT32 lengthBytes", lengthBytes, `at least ${bytes} bytes (for ${why})`, fix);
}

function isPowerWithin(value: number, least: number, most: number): boolean {
  return value >= least && value <= most && Number.isInteger(Math.log2(value));
}

function wrong(option: string, found: unknown, expected: string): FactoryError {
  return fat32Error("LAYOUT_INVALID", `FAT32 ${option}`, found, expected, `correct the ${option}`);
}

function fat32Error(
  code: ErrorCode,
  ...[field, found, expected, fix]: [string, unknown, string, string]
): FactoryError {
  return new FactoryError({ code, field, found, expected, fix });
}
