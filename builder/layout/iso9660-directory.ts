// SPDX-License-Identifier: Apache-2.0
// Sizes and encodes the directories of an ISO 9660 volume: blocks of records, followed by the blocks of their
// continuation area (Rock Ridge fields that did not fit into a record).
// Spec: ECMA-119 6.8.1 and 9.1 (directory records), SUSP 1.12 section 5.1 (CE).
import { roundUp } from "./extent.ts";
import { putFields } from "./bytes.ts";
import { BLOCK_BYTES, both16, both32, recordDate } from "./iso9660-fields.ts";
import { CONTINUATION_ENTRY_BYTES, dotSystemUse, encodeContinuation, namedSystemUse } from "./iso9660-rock-ridge.ts";
import type { IsoDirectory } from "./iso9660-tree.ts";
import type { PosixAttributes, SystemUse } from "./iso9660-rock-ridge.ts";

export const FLAG_DIRECTORY = 0x02;
export const RECORD_HEADER_BYTES = 33;
const MAX_RECORD_BYTES = 254; // the length is one byte, and even
const SELF = "\u0000";
const PARENT = "\u0001";

/** Where data lies: a logical block and a length in bytes. */
export interface IsoExtent {
  readonly block: number;
  readonly length: number;
}

/** One record and where its overflow lies in the continuation area. */
interface SizedRecord {
  readonly kind: "file" | "directory";
  readonly path: string;
  readonly identifier: string;
  readonly use: SystemUse;
  readonly overflowAt: number;
}

/** A directory whose size is known and whose block is not. Both lengths are in bytes, whole blocks. */
export interface SizedDirectory {
  readonly records: readonly SizedRecord[];
  readonly recordBytes: number;
  readonly continuationBytes: number;
}

/** Sizes every directory; `directories` is in path-table order. */
export function sizeDirectories(directories: readonly IsoDirectory[]): readonly SizedDirectory[] {
  const attributes = directories.map(({ nodes }): PosixAttributes => ({
    kind: "directory",
    subdirectories: nodes.filter((n) => n.kind === "directory").length,
  }));
  const byPath = new Map(directories.map((d, i) => [d.path, attributes[i]]));
  const of = (path: string): PosixAttributes => byPath.get(path) ?? { kind: "file" };
  return directories.map((directory) => {
    const { path, nodes } = directory;
    const parent = directories[directory.parent]?.path ?? "";
    return sizeDirectory([
      { kind: "directory", path, identifier: SELF, use: dotSystemUse(of(path), path === "") },
      { kind: "directory", path: parent, identifier: PARENT, use: dotSystemUse(of(parent), false) },
      ...nodes.map(({ kind, name, path: own, iso: { identifier } }) => {
        const room = MAX_RECORD_BYTES - nameEnd(identifier);
        return { kind, path: own, identifier, use: namedSystemUse(name, of(own), room) };
      }),
    ]);
  });
}

/**
 * The bytes of a directory at `block`: its records, then its continuation area. `extents` has every file and directory
 * by path.
 */
export function encodeDirectory(
  directory: SizedDirectory,
  block: number,
  extents: ReadonlyMap<string, IsoExtent>,
  epochSeconds: number,
): Uint8Array {
  const out = new Uint8Array(directory.recordBytes + directory.continuationBytes);
  const continuationBlock = block + directory.recordBytes / BLOCK_BYTES;
  let at = 0;
  for (const { kind, path, identifier, use, overflowAt } of directory.records) {
    const extent = extents.get(path) ?? { block: 0, length: 0 };
    const more = use.overflow.length > 0;
    const overflowBlock = continuationBlock + Math.floor(overflowAt / BLOCK_BYTES);
    const tail = more
      ? encodeContinuation(overflowBlock, overflowAt % BLOCK_BYTES, use.overflow.length)
      : new Uint8Array();
    const record = encodeRecord({
      kind,
      identifier,
      extent,
      epochSeconds,
      systemUse: Buffer.concat([use.inline, tail]),
    });
    at = placeRecord(at, record.length);
    out.set(record, at);
    out.set(use.overflow, directory.recordBytes + overflowAt);
    at += record.length;
  }
  return out;
}

export interface RecordValues {
  readonly kind: "file" | "directory";
  readonly identifier: string;
  readonly extent: IsoExtent;
  readonly epochSeconds: number;
  readonly systemUse: Uint8Array;
}

/** One directory record. Throws LAYOUT_OVERFLOW when a block or length does not fit. */
export function encodeRecord(values: RecordValues): Uint8Array {
  const { identifier, extent, systemUse } = values;
  const out = new Uint8Array(recordBytes(identifier, systemUse.length));
  putFields(out, `ISO 9660 record of ${JSON.stringify(identifier)}`, [
    ["length", 0, "u8", out.length], //                                          0  bytes
    ["extended attribute blocks", 1, "u8", 0], //                                1
    ...both32("block", 2, extent.block), //                                  2..9
    ...both32("data length", 10, extent.length), //                        10..17  bytes
    ["flags", 25, "u8", values.kind === "directory" ? FLAG_DIRECTORY : 0], //   25
    ["file unit size", 26, "u8", 0], //                                         26
    ["interleave gap", 27, "u8", 0], //                                         27
    ...both16("volume", 28, 1), //                                         28..31
    ["identifier length", 32, "u8", identifier.length], //                      32
  ]);
  out.set(recordDate(values.epochSeconds), 18); //                         18..24
  out.set(Buffer.from(identifier, "latin1"), RECORD_HEADER_BYTES); //      33..
  out.set(systemUse, nameEnd(identifier));
  return out;
}

function sizeDirectory(records: readonly Omit<SizedRecord, "overflowAt">[]): SizedDirectory {
  let at = 0;
  let overflowEnd = 0;
  const sized = records.map((record) => {
    const { inline, overflow } = record.use;
    const length = recordBytes(record.identifier, inline.length + (overflow.length > 0 ? CONTINUATION_ENTRY_BYTES : 0));
    at = placeRecord(at, length) + length;
    const overflowAt = placeRecord(overflowEnd, overflow.length);
    if (overflow.length > 0) overflowEnd = overflowAt + overflow.length;
    return { ...record, overflowAt };
  });
  return {
    records: sized,
    recordBytes: roundUp(at, BLOCK_BYTES),
    continuationBytes: roundUp(overflowEnd, BLOCK_BYTES),
  };
}

/** The offset at or after `at` where `length` bytes stay within one block: neither records nor CE areas may cross. */
function placeRecord(at: number, length: number): number {
  return (at % BLOCK_BYTES) + length > BLOCK_BYTES ? roundUp(at, BLOCK_BYTES) : at;
}

function recordBytes(identifier: string, systemUseBytes: number): number {
  return roundUp(nameEnd(identifier) + systemUseBytes, 2);
}

/** Where the system use field starts: after the identifier, on an even byte. */
function nameEnd(identifier: string): number {
  return roundUp(RECORD_HEADER_BYTES + identifier.length, 2);
}
