// SPDX-License-Identifier: Apache-2.0
// Decodes the 32-byte entries of one FAT directory. Long names count only when all their parts are there, in order,
// with the checksum of the short entry that follows; otherwise the short name stands, as it does for every driver.
// Spec: Microsoft FAT specification (fatgen103), "FAT Directory Structure" and "FAT Long Directory Entries".
import { viewOf } from "./bytes.ts";
import {
  ATTRIBUTE,
  ENTRY_BYTES,
  LAST_LONG_ENTRY,
  LONG_NAME_OFFSETS,
  LONG_NAME_UNITS,
  shortNameChecksum,
} from "./fat32-entries.ts";
import { fatNameProblem, SHORT_NAME_BYTES } from "./fat32-names.ts";
import { malformed } from "./read-at.ts";

const FREE_ENTRY = 0xe5;
const END_OF_DIRECTORY = 0x00;
const NT_LOWER_BASE = 0x08;
const NT_LOWER_EXTENSION = 0x10;

export interface FoundEntry {
  readonly kind: "file" | "directory";
  readonly name: string;
  readonly firstCluster: number;
  readonly sizeBytes: number;
}

export interface FoundDirectory {
  /** Of the volume; only a root directory has one. */
  readonly label: string | undefined;
  readonly entries: readonly FoundEntry[];
}

/** Where errors say they happened. */
export interface DirectoryPlace {
  readonly volume: string;
  readonly directory: string;
}

/** Parts of a long name as they come, last part first; `next` is the part number that must follow. */
interface LongName {
  readonly text: string;
  readonly next: number;
  readonly checksum: number;
}

/** Decodes all entries but `.` and `..`. Throws FORMAT_INVALID on a name that could not be a file's, or comes twice. */
export function decodeDirectory(bytes: Uint8Array, place: DirectoryPlace): FoundDirectory {
  const entries: FoundEntry[] = [];
  const names = new Set<string>();
  let label: string | undefined;
  let long: LongName | undefined;
  for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
    const entry = bytes.subarray(at, at + ENTRY_BYTES);
    const attributes = entry[11] ?? 0;
    if (entry[0] === END_OF_DIRECTORY) break;
    if (entry[0] !== FREE_ENTRY && (attributes & 0x3f) === ATTRIBUTE.longName) {
      long = addPart(long, entry);
      continue;
    }
    if (entry[0] !== FREE_ENTRY && (attributes & ATTRIBUTE.volumeLabel) !== 0) label = shortText(entry, 0, 11);
    else if (entry[0] !== FREE_ENTRY && !isDotEntry(entry)) entries.push(decodeEntry(entry, long, place));
    long = undefined;
  }
  for (const { name } of entries) {
    if (names.has(name)) throw malformed(place.volume, place.directory, name, "a name that comes once");
    names.add(name);
  }
  return { label, entries };
}

function isDotEntry(entry: Uint8Array): boolean {
  return /^\.\.? {9,10}$/.test(Buffer.from(entry.subarray(0, SHORT_NAME_BYTES)).toString("latin1"));
}

function addPart(before: LongName | undefined, entry: Uint8Array): LongName | undefined {
  const view = viewOf(entry);
  const ordinal = view.getUint8(0);
  const checksum = view.getUint8(13);
  const part = ordinal & ~LAST_LONG_ENTRY;
  const starts = (ordinal & LAST_LONG_ENTRY) !== 0;
  if (!starts && (before === undefined || before.next !== part || before.checksum !== checksum)) return undefined;
  const units = LONG_NAME_OFFSETS.map((offset) => view.getUint16(offset, true));
  const end = starts ? units.indexOf(0) : -1;
  const text = String.fromCharCode(...units.slice(0, end < 0 ? LONG_NAME_UNITS : end));
  return { text: text + (starts ? "" : (before?.text ?? "")), next: part - 1, checksum };
}

function decodeEntry(entry: Uint8Array, long: LongName | undefined, place: DirectoryPlace): FoundEntry {
  const view = viewOf(entry);
  const matches = long !== undefined && long.next === 0 && long.checksum === shortNameChecksum(entry);
  const name = matches ? long.text : decodeShortName(entry);
  const problem = fatNameProblem(name);
  if (problem !== undefined) throw malformed(place.volume, place.directory, name, problem);
  return {
    kind: (view.getUint8(11) & ATTRIBUTE.directory) === 0 ? "file" : "directory",
    name,
    firstCluster: ((view.getUint16(20, true) << 16) | view.getUint16(26, true)) >>> 0,
    sizeBytes: view.getUint32(28, true),
  };
}

function decodeShortName(entry: Uint8Array): string {
  const flags = entry[12] ?? 0;
  const base = shortText(entry, 0, 8);
  const extension = shortText(entry, 8, SHORT_NAME_BYTES);
  const stem = (flags & NT_LOWER_BASE) === 0 ? base : base.toLowerCase();
  const suffix = (flags & NT_LOWER_EXTENSION) === 0 ? extension : extension.toLowerCase();
  return suffix === "" ? stem : `${stem}.${suffix}`;
}

/** Bytes as Latin-1 without trailing spaces; the caller's name check refuses control characters. */
function shortText(entry: Uint8Array, start: number, end: number): string {
  return Buffer.from(entry.subarray(start, end)).toString("latin1").trimEnd();
}
