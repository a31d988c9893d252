// SPDX-License-Identifier: Apache-2.0
// Encodes a GUID partition table: primary header and entries after LBA 0, entries and backup header at the disk's end.
// Spec: UEFI 2.10, section 5.3 (header: table 5.5, entry: table 5.6). Every GUID comes from the plan.
// Limits: 128 entries of 128 bytes, revision 1.0, names of 36 UTF-16 units. LBA 0 is mbr.ts; the decoder is gpt-decode.ts.
import { crc32 } from "node:zlib";
import { FactoryError } from "../errors.ts";
import { asciiBytes, putFields, viewOf } from "./bytes.ts";
import { putGuid } from "./guid.ts";

export const GPT_SIGNATURE = "EFI PART";
export const GPT_REVISION = 0x0001_0000;
export const GPT_HEADER_BYTES = 92;
export const GPT_ENTRY_BYTES = 128;
export const GPT_ENTRIES = 128;
export const GPT_NAME_UNITS = 36;

/** Partition type GUIDs. META is told by its name, as Talos does it, so it has the generic type. */
export const PARTITION_TYPES = {
  esp: "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
  biosBoot: "21686148-6449-6e6f-744e-656564454649",
  linuxData: "0fc63daf-8483-4772-8e79-3d69d8477de4",
} as const;

export type SectorBytes = 512 | 4096;

export interface GptPartition {
  /** At most 36 UTF-16 units. */
  readonly name: string;
  /** Lower-case UUID text, like `guid`. */
  readonly typeGuid: string;
  readonly guid: string;
  /** First and last sector, both inclusive. */
  readonly firstLba: number;
  readonly lastLba: number;
  /** 64 bits: 0 required, 1 no block I/O, 2 legacy BIOS bootable, 48..63 by type. */
  readonly attributes?: bigint | undefined;
}

export interface GptRequest {
  readonly sectorBytes: SectorBytes;
  /** Sectors of the whole disk. */
  readonly totalSectors: number;
  readonly diskGuid: string;
  /** In entry order: partition numbers count from 1. */
  readonly partitions: readonly GptPartition[];
}

/** Where tables and partitions may lie on a disk; LBAs are inclusive. */
export interface GptGeometry {
  readonly entrySectors: number;
  readonly firstUsableLba: number;
  readonly lastUsableLba: number;
  /** Sector of the backup header, the last one. */
  readonly backupLba: number;
  /** First sector of `backup`: its entries come before its header. */
  readonly backupEntriesLba: number;
}

export interface EncodedGpt extends GptGeometry {
  /** Header and entries, to be placed from LBA 1. */
  readonly primary: Uint8Array;
  /** Entries and header, to be placed from `backupEntriesLba` to the end. */
  readonly backup: Uint8Array;
}

/**
 * Both copies of the table. Throws LAYOUT_INVALID for partitions that overlap, are empty, leave the usable range, or
 * share a GUID, and LAYOUT_OVERFLOW for a name over 36 units, more than 128 partitions, or a disk too small.
 */
export function encodeGpt(request: GptRequest): EncodedGpt {
  const geometry = gptGeometry(request.sectorBytes, request.totalSectors);
  checkPartitions(request.partitions, geometry);
  const entries = encodeEntries(request.partitions, geometry.entrySectors * request.sectorBytes);
  const { backupLba, backupEntriesLba } = geometry;
  const primaryHeader = encodeHeader(request, geometry, entries, { own: 1, other: backupLba, entries: 2 });
  const backupHeader = encodeHeader(request, geometry, entries, {
    own: backupLba,
    other: 1,
    entries: backupEntriesLba,
  });
  return {
    ...geometry,
    primary: Buffer.concat([primaryHeader, entries]),
    backup: Buffer.concat([entries, backupHeader]),
  };
}

/** The ranges that a disk of `totalSectors` leaves for partitions. Throws LAYOUT_OVERFLOW when it leaves none. */
export function gptGeometry(sectorBytes: SectorBytes, totalSectors: number): GptGeometry {
  const entrySectors = (GPT_ENTRIES * GPT_ENTRY_BYTES) / sectorBytes; // 32 or 4
  const smallest = 2 * entrySectors + 4; // MBR, two headers, two arrays, one usable sector
  if (!Number.isSafeInteger(totalSectors) || totalSectors < smallest) {
    throw refuse("LAYOUT_OVERFLOW", "gpt totalSectors", totalSectors, `at least ${smallest} sectors`);
  }
  const backupLba = totalSectors - 1;
  const backupEntriesLba = backupLba - entrySectors;
  return {
    entrySectors,
    firstUsableLba: 2 + entrySectors,
    lastUsableLba: backupEntriesLba - 1,
    backupLba,
    backupEntriesLba,
  };
}

function checkPartitions(partitions: readonly GptPartition[], { firstUsableLba, lastUsableLba }: GptGeometry): void {
  if (partitions.length > GPT_ENTRIES) {
    throw refuse("LAYOUT_OVERFLOW", "gpt partitions", partitions.length, `at most ${GPT_ENTRIES}`);
  }
  const guids = new Set<string>();
  for (const { name, guid, firstLba, lastLba } of partitions) {
    if (!Number.isSafeInteger(firstLba) || firstLba < firstUsableLba) {
      throw refuse("LAYOUT_INVALID", `gpt ${name} firstLba`, firstLba, `${firstUsableLba} or more`);
    }
    if (!Number.isSafeInteger(lastLba) || lastLba < firstLba || lastLba > lastUsableLba) {
      throw refuse("LAYOUT_INVALID", `gpt ${name} lastLba`, lastLba, `${firstLba} to ${lastUsableLba}`);
    }
    if (guids.has(guid)) throw refuse("LAYOUT_INVALID", `gpt ${name} guid`, guid, "a GUID of its own");
    guids.add(guid);
  }
  checkOverlaps(partitions);
}

function checkOverlaps(partitions: readonly GptPartition[]): void {
  let end = 0;
  for (const { name, firstLba, lastLba } of [...partitions].sort((a, b) => a.firstLba - b.firstLba)) {
    if (firstLba < end)
      throw refuse("LAYOUT_INVALID", `gpt ${name} firstLba`, firstLba, `${end} or more, after its neighbour`);
    end = lastLba + 1;
  }
}

function encodeEntries(partitions: readonly GptPartition[], length: number): Uint8Array {
  const array = new Uint8Array(length);
  partitions.forEach((partition, i) => {
    encodeEntry(array.subarray(i * GPT_ENTRY_BYTES, (i + 1) * GPT_ENTRY_BYTES), partition);
  });
  return array;
}

function encodeEntry(record: Uint8Array, partition: GptPartition): void {
  putGuid(record, 0, partition.typeGuid);
  putGuid(record, 16, partition.guid);
  putFields(record, `gpt ${partition.name}`, [
    ["firstLba", 32, "u64le", partition.firstLba],
    ["lastLba", 40, "u64le", partition.lastLba],
    ["attributes", 48, "u64le", partition.attributes ?? 0n],
  ]);
  putName(record.subarray(56, GPT_ENTRY_BYTES), partition.name); // 72 bytes
}

function putName(field: Uint8Array, name: string): void {
  if (name.length > GPT_NAME_UNITS) {
    throw refuse("LAYOUT_OVERFLOW", "gpt name", name, `at most ${GPT_NAME_UNITS} UTF-16 units`);
  }
  if (name.includes("\0") || !name.isWellFormed()) {
    throw refuse("LAYOUT_INVALID", "gpt name", name, "well-formed Unicode without NUL");
  }
  const view = viewOf(field);
  for (let i = 0; i < name.length; i++) view.setUint16(i * 2, name.charCodeAt(i), true);
}

interface HeaderPlaces {
  readonly own: number;
  readonly other: number;
  readonly entries: number;
}

function encodeHeader(request: GptRequest, geometry: GptGeometry, entries: Uint8Array, at: HeaderPlaces): Uint8Array {
  const header = new Uint8Array(request.sectorBytes);
  header.set(asciiBytes(GPT_SIGNATURE), 0);
  putFields(header, "gpt header", [
    ["revision", 8, "u32le", GPT_REVISION],
    ["headerSize", 12, "u32le", GPT_HEADER_BYTES],
    ["headerCrc32", 16, "u32le", 0], //            over 0..91 with this field zero; set below
    ["reserved", 20, "u32le", 0],
    ["myLba", 24, "u64le", at.own],
    ["alternateLba", 32, "u64le", at.other],
    ["firstUsableLba", 40, "u64le", geometry.firstUsableLba],
    ["lastUsableLba", 48, "u64le", geometry.lastUsableLba], // 56..71 is the disk GUID
    ["partitionEntryLba", 72, "u64le", at.entries],
    ["numberOfPartitionEntries", 80, "u32le", GPT_ENTRIES],
    ["sizeOfPartitionEntry", 84, "u32le", GPT_ENTRY_BYTES],
    ["partitionEntryArrayCrc32", 88, "u32le", crc32(entries)],
  ]);
  putGuid(header, 56, request.diskGuid);
  putFields(header, "gpt header", [["headerCrc32", 16, "u32le", crc32(header.subarray(0, GPT_HEADER_BYTES))]]);
  return header;
}

function refuse(
  code: "LAYOUT_INVALID" | "LAYOUT_OVERFLOW",
  field: string,
  found: string | number,
  expected: string,
): FactoryError {
  return new FactoryError({ code, field, found, expected, fix: "correct the disk layout" });
}
