// SPDX-License-Identifier: Apache-2.0
// Decodes the primary GUID partition table of an image, for comparing and verifying. Spec: UEFI 2.10, section 5.3.
// Reads what gpt.ts writes (128-byte entries, at most 128 of them right after the header); refuses anything else.
import { crc32 } from "node:zlib";
import { FactoryError } from "../errors.ts";
import { viewOf } from "./bytes.ts";
import { GPT_ENTRIES, GPT_ENTRY_BYTES, GPT_HEADER_BYTES, GPT_REVISION, GPT_SIGNATURE } from "./gpt.ts";
import type { GptPartition, SectorBytes } from "./gpt.ts";
import { readGuid } from "./guid.ts";

export interface DecodedGpt {
  readonly diskGuid: string;
  readonly firstUsableLba: number;
  readonly lastUsableLba: number;
  readonly backupLba: number;
  /** Used entries in entry order. */
  readonly partitions: readonly (GptPartition & { readonly number: number; readonly attributes: bigint })[];
}

const UNUSED = "00000000-0000-0000-0000-000000000000";

/**
 * `primary` are the bytes from LBA 1 on: header sector and entries; more may follow. Throws FORMAT_INVALID, naming the
 * field, for a wrong signature, checksum, size or place, and for entries outside the usable range.
 */
export function decodeGpt(primary: Uint8Array, sectorBytes: SectorBytes): DecodedGpt {
  if (primary.length < sectorBytes + GPT_ENTRIES * GPT_ENTRY_BYTES)
    throw refuse("length", primary.length, "header and entries");
  const view = viewOf(primary);
  checkHeader(primary, view);
  const array = primary.subarray(sectorBytes, sectorBytes + GPT_ENTRIES * GPT_ENTRY_BYTES);
  expect("partitionEntryArrayCrc32", view.getUint32(88, true), crc32(array));
  const header = {
    diskGuid: readGuid(primary, 56),
    backupLba: readLba(view, "alternateLba", 32),
    firstUsableLba: readLba(view, "firstUsableLba", 40),
    lastUsableLba: readLba(view, "lastUsableLba", 48),
  };
  const records = Array.from({ length: GPT_ENTRIES }, (_, i) =>
    array.subarray(i * GPT_ENTRY_BYTES, (i + 1) * GPT_ENTRY_BYTES),
  );
  const partitions = records.flatMap((record, i) =>
    readGuid(record, 0) === UNUSED ? [] : [decodeEntry(record, i + 1)],
  );
  for (const { number, firstLba, lastLba } of partitions) {
    if (firstLba < header.firstUsableLba || lastLba < firstLba || lastLba > header.lastUsableLba) {
      throw refuse(
        `entry ${number}`,
        `${firstLba}..${lastLba}`,
        `sectors within ${header.firstUsableLba}..${header.lastUsableLba}`,
      );
    }
  }
  return { ...header, partitions };
}

function checkHeader(primary: Uint8Array, view: DataView): void {
  const signature = Buffer.from(primary.subarray(0, 8)).toString("latin1");
  if (signature !== GPT_SIGNATURE) throw refuse("signature", signature, JSON.stringify(GPT_SIGNATURE));
  expect("revision", view.getUint32(8, true), GPT_REVISION);
  expect("headerSize", view.getUint32(12, true), GPT_HEADER_BYTES);
  const blanked = Uint8Array.from(primary.subarray(0, GPT_HEADER_BYTES)).fill(0, 16, 20);
  expect("headerCrc32", view.getUint32(16, true), crc32(blanked));
  expect("myLba", readLba(view, "myLba", 24), 1);
  expect("partitionEntryLba", readLba(view, "partitionEntryLba", 72), 2);
  expect("numberOfPartitionEntries", view.getUint32(80, true), GPT_ENTRIES);
  expect("sizeOfPartitionEntry", view.getUint32(84, true), GPT_ENTRY_BYTES);
}

function decodeEntry(record: Uint8Array, number: number): DecodedGpt["partitions"][number] {
  const view = viewOf(record);
  return {
    number,
    name: readName(record.subarray(56, GPT_ENTRY_BYTES)),
    typeGuid: readGuid(record, 0),
    guid: readGuid(record, 16),
    firstLba: readLba(view, `entry ${number} firstLba`, 32),
    lastLba: readLba(view, `entry ${number} lastLba`, 40),
    attributes: view.getBigUint64(48, true),
  };
}

function readName(field: Uint8Array): string {
  const text = Buffer.from(field).toString("utf16le");
  const end = text.indexOf("\0");
  return end < 0 ? text : text.slice(0, end);
}

function readLba(view: DataView, field: string, offset: number): number {
  const lba = view.getBigUint64(offset, true);
  if (lba > BigInt(Number.MAX_SAFE_INTEGER)) throw refuse(field, lba, "a sector number below 2^53");
  return Number(lba);
}

function expect(field: string, found: number, expected: number): void {
  if (found !== expected) throw refuse(field, found, String(expected));
}

function refuse(field: string, found: unknown, expected: string): FactoryError {
  const fix = "check that this is an image of this factory, complete and unchanged";
  return new FactoryError({ code: "FORMAT_INVALID", field: `gpt ${field}`, found, expected, fix });
}
