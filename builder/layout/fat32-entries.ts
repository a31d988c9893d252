// SPDX-License-Identifier: Apache-2.0
// Encodes FAT directory entries of 32 bytes: the short entry, the long-name entries before it, and the volume label.
// Spec: Microsoft FAT specification (fatgen103), "FAT Directory Structure" and "FAT Long Directory Entries".
// Limit: times are kept to 2 seconds, except the creation time, which is exact.
import { putFields } from "./bytes.ts";
import { civilTime } from "./civil-time.ts";
import { MAX_LONG_NAME_UNITS, SHORT_NAME_BYTES } from "./fat32-names.ts";
import type { ShortName } from "./fat32-names.ts";

export const ENTRY_BYTES = 32;
export const LONG_NAME_UNITS = 13; // UTF-16 units a long-name entry holds
export const LONG_NAME_OFFSETS: readonly number[] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
export const ATTRIBUTE = { volumeLabel: 0x08, directory: 0x10, archive: 0x20, longName: 0x0f } as const;
export const LAST_LONG_ENTRY = 0x40;

/** A moment as FAT stores it. */
export interface FatTime {
  readonly date: number;
  readonly time: number;
  /** Hundredths of a second (0..199) that `time` cannot hold. */
  readonly hundredths: number;
}

/** What a short entry says besides its name. `firstCluster` is 0 for an empty file and for the root. */
export interface EntryFields {
  readonly attributes: number;
  readonly firstCluster: number;
  readonly sizeBytes: number;
  readonly time: FatTime;
}

/** Seconds since 1970 (UTC) as FAT date and time. Throws LAYOUT_OVERFLOW before 1980 and after 2107. */
export function fatTime(epochSeconds: number): FatTime {
  const t = civilTime(epochSeconds, { format: "FAT", first: 1980, last: 2107 });
  return {
    date: ((t.year - 1980) << 9) | (t.month << 5) | t.day,
    time: (t.hour << 11) | (t.minute << 5) | (t.second >> 1),
    hundredths: (t.second % 2) * 100,
  };
}

/** How many entries `name` takes in its directory: 1, plus the long-name entries it needs. */
export function entryCount(name: string, short: ShortName): number {
  return short.exact ? 1 : 1 + Math.ceil(name.length / LONG_NAME_UNITS);
}

/** The entries of one name in directory order: the parts of the long name from last to first, then the short entry. */
export function encodeEntries(name: string, short: ShortName, fields: EntryFields): Uint8Array {
  const out = new Uint8Array(entryCount(name, short) * ENTRY_BYTES);
  const parts = out.length / ENTRY_BYTES - 1;
  for (let part = parts; part >= 1; part--) {
    const at = (parts - part) * ENTRY_BYTES;
    putLongNamePart(out.subarray(at, at + ENTRY_BYTES), name, part, shortNameChecksum(short.bytes));
    if (part === parts) out[at] = part | LAST_LONG_ENTRY;
  }
  out.set(encodeShortEntry(short.bytes, fields), parts * ENTRY_BYTES);
  return out;
}

/** One short entry of 32 bytes. `name` is 11 characters. */
export function encodeShortEntry(name: Uint8Array, fields: EntryFields): Uint8Array {
  const out = new Uint8Array(ENTRY_BYTES);
  out.set(name); //                                                          0..10  name
  putFields(out, "FAT entry", [
    ["attributes", 11, "u8", fields.attributes], //                            11
    ["lower case", 12, "u8", 0], //                                            12
    ["creation hundredths", 13, "u8", fields.time.hundredths], //              13
    ["creation time", 14, "u16le", fields.time.time], //                   14..15
    ["creation date", 16, "u16le", fields.time.date], //                   16..17
    ["access date", 18, "u16le", fields.time.date], //                     18..19
    ["first cluster, high", 20, "u16le", fields.firstCluster >>> 16], //   20..21
    ["write time", 22, "u16le", fields.time.time], //                      22..23
    ["write date", 24, "u16le", fields.time.date], //                      24..25
    ["first cluster, low", 26, "u16le", fields.firstCluster & 0xffff], //  26..27
    ["size", 28, "u32le", fields.sizeBytes], //                            28..31  bytes
  ]);
  return out;
}

/** The checksum that ties long-name entries to the 11 bytes of their short entry. */
export function shortNameChecksum(shortName: Uint8Array): number {
  return shortName
    .subarray(0, SHORT_NAME_BYTES)
    .reduce((sum, byte) => (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff, 0);
}

/** Part `part` (from 1) of a long name. The name ends in one NUL and is filled with 0xffff, if it leaves room. */
function putLongNamePart(entry: Uint8Array, name: string, part: number, checksum: number): void {
  const start = (part - 1) * LONG_NAME_UNITS;
  const unit = (i: number): number => (i < name.length ? name.charCodeAt(i) : i === name.length ? 0 : 0xffff);
  putFields(entry, "FAT long name", [
    ["ordinal", 0, "u8", part], //                                          0
    ["attributes", 11, "u8", ATTRIBUTE.longName], //                       11
    ["type", 12, "u8", 0], //                                              12
    ["checksum", 13, "u8", checksum], //                                   13
    ["first cluster", 26, "u16le", 0], //                              26..27
  ]);
  putFields(
    entry,
    `FAT long name (at most ${MAX_LONG_NAME_UNITS} units)`,
    LONG_NAME_OFFSETS.map((offset, i) => [`unit ${start + i}`, offset, "u16le", unit(start + i)]),
  );
}
