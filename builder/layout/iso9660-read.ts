// SPDX-License-Identifier: Apache-2.0
// Lists the files of an ISO 9660 volume, under their Rock Ridge names where there are any, with the byte ranges of
// their data, for verification and comparison. The volume may be hostile: directories met twice, too many entries,
// levels or bytes, and names that could leave the root are refused.
// Spec: ECMA-119 8.4 and 9.1. Left out: Joliet, files of several extents, interleaving, several volumes.
import { viewOf } from "./bytes.ts";
import { DESCRIPTOR_TYPE, STANDARD_ID } from "./iso9660-descriptors.ts";
import { FLAG_DIRECTORY, RECORD_HEADER_BYTES } from "./iso9660-directory.ts";
import { BLOCK_BYTES } from "./iso9660-fields.ts";
import { PRIMARY_BLOCK } from "./iso9660-plan.ts";
import { readSystemUse } from "./iso9660-read-names.ts";
import { malformed, readRange } from "./read-at.ts";
import type { ByteRange, ReadableImage } from "./read-at.ts";

const MAX_LEVELS = 64;
const MAX_ENTRIES = 65_536;
const MAX_DIRECTORY_BYTES = 2 ** 24;
const FLAG_MULTI_EXTENT = 0x80;

/** `offset` and `length` in bytes; of a directory, those of its records. */
export interface IsoFileFound extends ByteRange {
  readonly path: string;
  readonly kind: "file" | "directory";
}

export interface IsoVolumeFound {
  readonly volumeId: string;
  /** Length of the volume as it says itself, in bytes. */
  readonly volumeBytes: number;
  readonly rockRidge: boolean;
  /** Directories before what they hold, otherwise in the order on the volume. */
  readonly files: readonly IsoFileFound[];
}

/** One directory record, not yet named. */
interface FoundRecord extends ByteRange {
  readonly kind: "file" | "directory";
  readonly identifier: Uint8Array;
  readonly systemUse: Uint8Array;
}

interface OpenDirectory extends ByteRange {
  readonly path: string;
  readonly level: number;
}

/** Reads the volume. Throws FORMAT_INVALID on anything that does not hold together. */
export async function readIso(image: ReadableImage): Promise<IsoVolumeFound> {
  const primary = await readRange(image, "primary volume descriptor", PRIMARY_BLOCK * BLOCK_BYTES, BLOCK_BYTES);
  const id = Buffer.from(primary.subarray(1, 6)).toString("latin1");
  if (primary[0] !== DESCRIPTOR_TYPE.primary || id !== STANDARD_ID) {
    throw malformed(image.name, "primary volume descriptor", id, STANDARD_ID);
  }
  const volumeBytes = both32(image, primary, 80, "volume blocks") * BLOCK_BYTES;
  if (volumeBytes > image.length) throw malformed(image.name, "volume bytes", volumeBytes, `at most ${image.length}`);
  const root = decodeRecord(image, primary.subarray(156, 190));
  const records = await readRecords(image, { ...root, path: "", level: 1 });
  const self = records[0];
  const rockRidge = self !== undefined && (await readSystemUse(image, self.systemUse)).rockRidge;
  const files = await walk(image, { ...root, path: "", level: 1 }, rockRidge);
  return { volumeId: latin1(primary.subarray(40, 72)).trimEnd(), volumeBytes, rockRidge, files };
}

async function walk(image: ReadableImage, root: OpenDirectory, rockRidge: boolean): Promise<readonly IsoFileFound[]> {
  const files: IsoFileFound[] = [];
  const seen = new Set<number>();
  const pending = [root];
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    if (seen.has(next.offset)) throw malformed(image.name, next.path, next.offset, "a directory that is met once");
    if (next.level > MAX_LEVELS) throw malformed(image.name, next.path, next.level, `at most ${MAX_LEVELS} levels`);
    seen.add(next.offset);
    const names = new Set<string>();
    for (const { kind, offset, length, identifier, systemUse } of await readRecords(image, next)) {
      if (isSelfOrParent(identifier)) continue;
      const posix = rockRidge ? (await readSystemUse(image, systemUse)).name : undefined;
      const name = checkedName(image, next.path, posix ?? plainName(identifier));
      if (names.has(name)) throw malformed(image.name, next.path, name, "a name that comes once");
      names.add(name);
      const path = next.path === "" ? name : `${next.path}/${name}`;
      files.push({ path, kind, offset: length === 0 ? 0 : offset, length });
      if (kind === "directory") pending.push({ path, offset, length, level: next.level + 1 });
      if (files.length > MAX_ENTRIES) throw malformed(image.name, path, files.length, `at most ${MAX_ENTRIES} entries`);
    }
  }
  return files;
}

async function readRecords(
  image: ReadableImage,
  { path, offset, length }: OpenDirectory,
): Promise<readonly FoundRecord[]> {
  if (length > MAX_DIRECTORY_BYTES || length % BLOCK_BYTES !== 0) {
    throw malformed(image.name, path, length, `whole blocks of at most ${MAX_DIRECTORY_BYTES} bytes in a directory`);
  }
  const bytes = await readRange(image, `directory ${path}`, offset, length);
  const records: FoundRecord[] = [];
  let at = 0;
  while (at < bytes.length) {
    const size = bytes[at] ?? 0;
    const blockEnd = at - (at % BLOCK_BYTES) + BLOCK_BYTES;
    if (size === 0) {
      at = blockEnd; // the rest of the block is filling
      continue;
    }
    if (at + size > blockEnd) throw malformed(image.name, path, size, "a directory record within one block");
    records.push(decodeRecord(image, bytes.subarray(at, at + size)));
    at += size;
  }
  return records;
}

function decodeRecord(image: ReadableImage, record: Uint8Array): FoundRecord {
  const nameLength = record[32] ?? 0;
  const nameEnd = RECORD_HEADER_BYTES + nameLength;
  if (nameLength === 0 || nameEnd > record.length) {
    throw malformed(image.name, "directory record", record.length, "a record that holds its name");
  }
  const flags = record[25] ?? 0;
  if ((flags & FLAG_MULTI_EXTENT) !== 0) throw malformed(image.name, "directory record", flags, "a file of one extent");
  const offset = both32(image, record, 2, "block") * BLOCK_BYTES;
  const length = both32(image, record, 10, "data length");
  if (length > 0 && offset + length > image.length) {
    throw malformed(image.name, "directory record", offset + length, `data within ${image.length} bytes`);
  }
  return {
    kind: (flags & FLAG_DIRECTORY) === 0 ? "file" : "directory",
    offset,
    length,
    identifier: record.subarray(RECORD_HEADER_BYTES, nameEnd),
    systemUse: record.subarray(nameEnd + (nameEnd % 2)),
  };
}

/** A number that stands there in both byte orders. */
function both32(image: ReadableImage, bytes: Uint8Array, offset: number, field: string): number {
  const view = viewOf(bytes);
  const [little, big] = [view.getUint32(offset, true), view.getUint32(offset + 4, false)];
  if (little !== big) throw malformed(image.name, field, big, `${little}, as in the other byte order`);
  return little;
}

function isSelfOrParent(identifier: Uint8Array): boolean {
  return identifier.length === 1 && (identifier[0] ?? 0) <= 1;
}

function plainName(identifier: Uint8Array): string {
  return latin1(identifier).replace(/;\d+$/, "").replace(/\.$/, "");
}

function checkedName(image: ReadableImage, directory: string, name: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  const hostile = name === "" || name === "." || name === ".." || /[\u0000-\u001f\u007f/]/.test(name);
  if (hostile) throw malformed(image.name, directory, name, "a plain file name");
  return name;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}
