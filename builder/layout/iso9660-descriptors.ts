// SPDX-License-Identifier: Apache-2.0
// Encodes the volume descriptors of an ISO 9660 volume, one block each.
// Spec: ECMA-119 8.1 (header), 8.3 (terminator), 8.4 (primary). Left out: Joliet and enhanced descriptors.
import { asciiBytes, putFields } from "./bytes.ts";
import { encodeRecord } from "./iso9660-directory.ts";
import { BLOCK_BYTES, both16, both32, noVolumeDate, paddedText, volumeDate } from "./iso9660-fields.ts";
import type { IsoExtent } from "./iso9660-directory.ts";

export const DESCRIPTOR_TYPE = { boot: 0, primary: 1, terminator: 255 } as const;
export const STANDARD_ID = "CD001";
const FIELD_128 = 128;

export interface PrimaryVolume {
  /** d-characters (A-Z 0-9 _), at most 32. */
  readonly volumeId: string;
  /** a-characters, at most 128. */
  readonly publisherId: string;
  /** a-characters, at most 128. */
  readonly applicationId: string;
  readonly epochSeconds: number;
  readonly blocks: number;
  readonly pathTable: { readonly bytes: number; readonly littleBlock: number; readonly bigBlock: number };
  readonly root: IsoExtent;
}

/** The primary volume descriptor. Created, modified and effective at the epoch; it never expires. */
export function encodePrimaryDescriptor(volume: PrimaryVolume): Uint8Array {
  const out = encodeDescriptor(DESCRIPTOR_TYPE.primary);
  const { epochSeconds, pathTable, root: extent } = volume;
  putFields(out, "ISO 9660 primary volume descriptor", [
    ...both32("volume blocks", 80, volume.blocks), //                              80..87
    ...both16("volume set size", 120, 1), //                                      120..123
    ...both16("volume sequence number", 124, 1), //                               124..127
    ...both16("block size", 128, BLOCK_BYTES), //                                 128..131  bytes
    ...both32("path table size", 132, pathTable.bytes), //                        132..139  bytes
    ["path table, little-endian", 140, "u32le", pathTable.littleBlock], //        140..143
    ["optional path table", 144, "u32le", 0], //                                  144..147
    ["path table, big-endian", 148, "u32be", pathTable.bigBlock], //              148..151
    ["optional path table", 152, "u32be", 0], //                                  152..155
    ["file structure version", 881, "u8", 1], //                                  881
  ]);
  const root = { kind: "directory", identifier: "\0", extent, epochSeconds, systemUse: new Uint8Array() } as const;
  const parts: readonly (readonly [offset: number, bytes: Uint8Array])[] = [
    [8, paddedText("system id", "", 32, "a")], //                                   8..39
    [40, paddedText("volume id", volume.volumeId, 32, "d")], //                    40..71
    [156, encodeRecord(root)], //                                                 156..189
    [190, paddedText("volume set id", "", FIELD_128, "d")], //                    190..317
    [318, paddedText("publisher id", volume.publisherId, FIELD_128, "a")], //     318..445
    [446, paddedText("preparer id", "", FIELD_128, "a")], //                      446..573
    [574, paddedText("application id", volume.applicationId, FIELD_128, "a")], // 574..701
    [702, paddedText("copyright file", "", 37, "d")], //                          702..738
    [739, paddedText("abstract file", "", 37, "d")], //                           739..775
    [776, paddedText("bibliographic file", "", 37, "d")], //                      776..812
    [813, volumeDate(epochSeconds)], //                                           813..829  creation
    [830, volumeDate(epochSeconds)], //                                           830..846  modification
    [847, noVolumeDate()], //                                                     847..863  expiration
    [864, volumeDate(epochSeconds)], //                                           864..880  effective
  ];
  for (const [offset, bytes] of parts) out.set(bytes, offset);
  return out;
}

/** The descriptor that ends the set. */
export function encodeTerminator(): Uint8Array {
  return encodeDescriptor(DESCRIPTOR_TYPE.terminator);
}

/** An empty descriptor: type, "CD001", version 1. */
export function encodeDescriptor(type: number): Uint8Array {
  const out = new Uint8Array(BLOCK_BYTES);
  out[0] = type; //                            0
  out.set(asciiBytes(STANDARD_ID), 1); //      1..5
  out[6] = 1; //                               6     version
  return out;
}
